"""The settings of a recipe that belong to no component."""

from __future__ import annotations

from ercframe.sphinxext.settings import SECTIONS

from .rst import title


def pages() -> dict[str, str]:
    """One page with a table for each section."""
    parts = [title("Trainer and protocol")]
    for key in SECTIONS:
        parts += [title(f"``{key}``", "-"), f".. erc-settings:: {key}\n"]
    return {"settings.rst": "\n".join(parts)}
