"""Colours by name, for light and for dark paper.

Those of series are Okabe and Ito's (2008), which people who are colour-blind can tell apart; on dark paper they are
lighter, in the same order.
"""

from __future__ import annotations

PALETTE: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#15181c"),
    "raised": ("#f4f6f8", "#1e2329"),
    "ink": ("#1b1f24", "#e7eaee"),
    "muted": ("#57606a", "#a3adb8"),
    "rule": ("#d5dae0", "#3a424c"),
    "accent": ("#00558a", "#7cc0f2"),
    "alarm": ("#a83c00", "#ffa066"),
    "good": ("#006b4e", "#1fbf92"),
    "k0": ("#0072b2", "#3d97db"),
    "k1": ("#d55e00", "#f2803a"),
    "k2": ("#009e73", "#1fbf92"),
    "k3": ("#cc79a7", "#e3a1c8"),
    "k4": ("#e69f00", "#f4bd4a"),
    "k5": ("#56b4e9", "#9bd8fb"),
    "k6": ("#1b1f24", "#e7eaee"),
    "k7": ("#b5a900", "#f0e442"),
}
"""Name to the colour on light and on dark paper. Yellow is darker on light paper than theirs, which vanished."""
SERIES = 8


def class_colour(number: int) -> str:
    """Name of the colour of a series; after eight they begin again."""
    return f"k{number % SERIES}"
