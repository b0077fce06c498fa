"""How messages are worded: counts, lines that fit a terminal, and nothing that steers it."""

import re
import textwrap

WIDTH = 80
"""Columns of a terminal that nobody has made wider."""
GLUE = "\N{NO-BREAK SPACE}"
"""A space at which :func:`hanging` ends no line."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """``"1 row"``, ``"2 rows"``, ``"1,234 rows"``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control codes but tab and line feed, and those that turn the direction of writing for what follows."""


def harmless(text: str) -> str:
    """Foreign text for a terminal: codes that would move its cursor, colour it or turn the line round are written out.

    Words of any script, and emoji, stay as they are.
    """
    return _STEERING.sub(lambda code: repr(code[0])[1:-1], text)


def hanging(label: str, text: str) -> list[str]:
    """A text beside its label, in as many lines as it needs; a long word, such as a path, stays in one piece."""
    below = " " * len(label)
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=label, subsequent_indent=below, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(GLUE, " ") for line in lines]
