"""Scores of predictions as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ercframe.report.breakdown_table import breakdown_notes, confusions_table, slices_table, with_interval
from ercframe.report.table import empty_table
from ercframe.wording import counted


def score_table(found: Mapping[str, Any]) -> RenderableType:
    """Scores, the F1 of each class and of each slice, and what is confused, in percent, with intervals.

    Args:
        found: what :func:`ercframe.scoring.score_predictions` returns.
    """
    return Group(_scores(found), slices_table(found), confusions_table(found), *(Text(line) for line in _notes(found)))


def _scores(found: Mapping[str, Any]) -> Table:
    title = f"{found['predictions']['file']} on {found['bundle']['corpus']}, {found['split']}"
    table = empty_table(
        f"{escape(title)}: {counted(found['turns'], 'turn')}, {counted(found['dialogues'], 'dialogue')}"
    )
    table.add_column("score", no_wrap=True)
    for name in ("", "95 % interval", "turns"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, entry in found["scores"].items():
        table.add_row(name.replace("_", " ").replace("f1", "F1"), *with_interval(entry), f"{found['turns']:,}")
    table.add_section()
    for name, entry in found["f1"].items():
        table.add_row(f"F1 {escape(name)}", *with_interval(entry), f"{entry['support']:,}")
    return table


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    yield "In percent."
    yield from breakdown_notes(found)
    if unscored := found["predictions"]["unscored"]:
        yield f"Predictions for turns that are not scored, and were left out: {unscored:,}."
