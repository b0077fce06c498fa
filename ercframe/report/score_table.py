"""Scores of predictions as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ercframe.report.table import SHORT, empty_table, percent

FEW = 20
"""With fewer dialogues an interval is told to be too narrow."""


def score_table(found: Mapping[str, Any]) -> RenderableType:
    """Scores, the F1 of each class and of each slice, in percent, with intervals.

    Args:
        found: what :func:`ercframe.scoring.score_predictions` returns.
    """
    return Group(_scores(found), _slices(found), *(Text(line) for line in _notes(found)))


def _scores(found: Mapping[str, Any]) -> Table:
    title = f"{found['predictions']['file']} on {found['bundle']['corpus']}, {found['split']}"
    table = empty_table(f"{escape(title)}: {found['turns']:,} turns, {found['dialogues']:,} dialogues")
    table.add_column("score", no_wrap=True)
    for name in ("", "95 % interval", "turns"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, entry in found["scores"].items():
        table.add_row(name.replace("_", " ").replace("f1", "F1"), *_cells(entry), f"{found['turns']:,}")
    table.add_section()
    for name, entry in found["f1"].items():
        table.add_row(f"F1 {escape(name)}", *_cells(entry), f"{entry['support']:,}")
    return table


def _slices(found: Mapping[str, Any]) -> Table:
    table = empty_table("Slices")
    table.add_column("by")
    table.add_column("turns that are")
    for name in (SHORT["weighted_f1"], "95 % interval", SHORT["accuracy"], "turns"):
        table.add_column(name, justify="right", no_wrap=True)
    last = ""
    for one in found["slices"]:
        if last and one["by"] != last:
            table.add_section()
        scores = one["scores"]
        cells = (*_cells(scores["weighted_f1"]), percent(scores["accuracy"]["value"]), f"{one['turns']:,}")
        table.add_row(one["by"] if one["by"] != last else "", escape(one["name"]), *cells)
        last = one["by"]
    return table


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    drawn = found["bootstrap"]
    yield f"In percent; intervals: percentiles of {drawn['resamples']:,} bootstrap resamples of dialogues."
    if found["dialogues"] < FEW:
        yield f"There are fewer than {FEW} dialogues: the intervals are too narrow."
    if unscored := found["predictions"]["unscored"]:
        yield f"Predictions for turns that are not scored, and were left out: {unscored:,}."


def _cells(entry: Mapping[str, Any]) -> tuple[str, str]:
    if entry["value"] is None:
        return "none", ""
    return percent(entry["value"]), f"{percent(entry['low'])} to {percent(entry['high'])}"
