"""Pieces of reStructuredText."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import indent


def title(text: str, underline: str = "=") -> str:
    """A heading."""
    return f"{text}\n{underline * len(text)}\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> str:
    """A table whose cells may hold any inline markup."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}", ""]
    for row in (head, *rows):
        for i, cell in enumerate(row):
            lines.append(f"   {'* -' if i == 0 else '  -'} {indent(cell, ' ' * 7).strip()}")
    return "\n".join(lines) + "\n"


def toctree(names: Iterable[str]) -> str:
    """Put these pages below this one in the navigation; the page itself links to them in its own way."""
    return "\n".join([".. toctree::", "   :hidden:", "", *(f"   {name}" for name in names)]) + "\n"
