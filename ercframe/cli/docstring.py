"""Docstrings, which are written for Sphinx, as plain text."""

import re
import textwrap

_INDENT = "    "
_ONE_ENTRY_A_LINE = ("Args:", "Attributes:", "Raises:")


def filled(docstring: str, width: int) -> str:
    """Fill paragraphs and sections to ``width`` columns; formulae, lists and tables keep their lines."""
    return "\n\n".join(_filled(paragraph, width) for paragraph in docstring.split("\n\n"))


def plain(text: str) -> str:
    """Without the marks that Sphinx reads."""
    return re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "")


def _filled(paragraph: str, width: int) -> str:
    first, _, below = paragraph.partition("\n")
    if not below.startswith(" ") and first[:1].isalpha():
        return textwrap.fill(plain(paragraph), width)
    if not re.fullmatch(r"[A-Z]\w+:", first):
        return paragraph
    entries = re.split(rf"\n(?={_INDENT}\S)", below) if first in _ONE_ENTRY_A_LINE else [below]
    return "\n".join([first, *(_entry(entry, width) for entry in entries)])


def _entry(text: str, width: int) -> str:
    words = " ".join(plain(text).split())
    return textwrap.fill(words, width, initial_indent=_INDENT, subsequent_indent=2 * _INDENT)
