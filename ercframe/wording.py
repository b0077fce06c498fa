"""How messages are worded: counts, and lines that fit a terminal."""

import textwrap

WIDTH = 80
"""Columns of a terminal that nobody has made wider."""
GLUE = "\N{NO-BREAK SPACE}"
"""A space at which :func:`hanging` ends no line."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """``"1 row"``, ``"2 rows"``, ``"1,234 rows"``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def hanging(label: str, text: str) -> list[str]:
    """A text beside its label, in as many lines as it needs; a long word, such as a path, stays in one piece."""
    below = " " * len(label)
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=label, subsequent_indent=below, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(GLUE, " ") for line in lines]
