"""Docstrings, which are written for Sphinx, as plain text."""

import re
import textwrap
from collections.abc import Iterator, Sequence

from ercframe.cli.formulas import readable

_INDENT = "    "
_ONE_ENTRY_A_LINE = ("Args:", "Attributes:", "Raises:")
_MATH = ".. math::"


def filled(docstring: str, width: int) -> str:
    """Fill paragraphs, sections and tables to ``width`` columns; formulae become readable, lists keep their lines."""
    joined = re.sub(rf"{re.escape(_MATH)}\n\n+(?= )", f"{_MATH}\n", docstring)
    return "\n\n".join(_filled(paragraph, width) for paragraph in joined.split("\n\n"))


def plain(text: str) -> str:
    """Without the marks that Sphinx reads."""
    text = re.sub(r":math:`([^`]*)`", lambda found: readable(found[1]), text)
    return re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "")


def _filled(paragraph: str, width: int) -> str:
    first, _, below = paragraph.partition("\n")
    if first.startswith(_MATH):
        return _formula(paragraph.removeprefix(_MATH), width)
    if re.fullmatch(r"=+( +=+)+", first):
        return _table(paragraph, width)
    if not below.startswith(" ") and re.match(r"[^\W\d]|[`*:(]", first):
        return textwrap.fill(plain(paragraph), width)
    if not re.fullmatch(r"[A-Z]\w+:", first):
        return plain(paragraph)
    entries = re.split(rf"\n(?={_INDENT}\S)", below) if first in _ONE_ENTRY_A_LINE else [below]
    return "\n".join([first, *(_entry(entry, width) for entry in entries)])


def _entry(text: str, width: int) -> str:
    words = " ".join(plain(text).split())
    return textwrap.fill(words, width, initial_indent=_INDENT, subsequent_indent=2 * _INDENT)


def _formula(text: str, width: int) -> str:
    return "\n".join(_entry(line, width) for line in readable(text).splitlines())


def _table(paragraph: str, width: int) -> str:
    """A simple table; its last column gets what the others leave."""
    starts = [found.start() for found in re.finditer("=+", paragraph.partition("\n")[0])]
    ends = [*starts[1:], None]
    rows = [[plain(line[i:j].strip()) for i, j in zip(starts, ends, strict=True)] for line in paragraph.splitlines()]
    widths = [max(len(row[k]) for row in rows if row[0].strip("=")) for k in range(len(starts))]
    widths[-1] = min(widths[-1], width - sum(widths[:-1]) - 2 * len(widths[:-1]))
    return "\n".join(line for row in rows for line in _row(row, widths))


def _row(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    if not cells[0].strip("="):
        yield "  ".join("=" * width for width in widths)
        return
    first = "".join(f"{cell:{width}}  " for cell, width in zip(cells, widths[:-1], strict=False))
    yield from textwrap.wrap(
        cells[-1], len(first) + widths[-1], initial_indent=first, subsequent_indent=" " * len(first)
    )
