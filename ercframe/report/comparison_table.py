"""A comparison of runs as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ercframe.report.comparison_cells import Cell, Grid, grids, notes
from ercframe.report.crossval_cells import crossval_grids, crossval_notes
from ercframe.report.table import Name, empty_table


def comparison_table(found: Mapping[str, Any]) -> RenderableType:
    """Scores, the F1 of each emotion, tests against the baseline, and what selection on test would have claimed.

    Args:
        found: what :func:`ercframe.comparison.compare` returns.
    """
    return Group(*map(_table, grids(found)), *(Text(line) for line in notes(found)))


def crossval_table(found: Mapping[str, Any]) -> RenderableType:
    """Each fold, the mean over folds and all dialogues as one test set, with what is averaged over what.

    Args:
        found: what :func:`ercframe.comparison.folds.cross_validated` returns.
    """
    return Group(*map(_table, crossval_grids(found)), *(Text(line) for line in crossval_notes(found)))


def _table(grid: Grid) -> Table:
    table = empty_table(escape(grid.title))
    for i, head in enumerate(grid.heads):
        table.add_column(_text(head), justify="right" if i else "left", no_wrap=i > 0)
    for row in grid.rows:
        table.add_row(Name(row[0].text, "bold" if row[0].best else ""), *map(_text, row[1:]))
    return table


def _text(cell: Cell) -> Text:
    return Text(cell.short or cell.text, style="bold" if cell.best else "")
