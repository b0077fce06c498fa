"""What a score is made of, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from ercframe.report.table import SHORT, empty_table, percent
from ercframe.statistics.over_seeds import FEW

Numbers = Mapping[str, float | None]


def slices_table(found: Mapping[str, Any]) -> Table:
    """The score of each slice, and how much it says.

    Args:
        found: what :func:`ercframe.breakdown.breakdown` returns.
    """
    table = empty_table("Slices")
    table.add_column("by")
    table.add_column("turns that are")
    for name in (SHORT["weighted_f1"], "95 % interval", SHORT["accuracy"], "turns"):
        table.add_column(name, justify="right", no_wrap=True)
    last = ""
    for one in found["slices"]:
        if last and one["by"] != last:
            table.add_section()
        scores, mark = one["scores"], "*" if one["few"] else ""
        cells = (*with_interval(scores["weighted_f1"]), percent(scores["accuracy"]["value"]), f"{one['turns']:,}")
        table.add_row(one["by"] if one["by"] != last else "", escape(one["name"]) + mark, *cells)
        last = one["by"]
    return table


def confusions_table(found: Mapping[str, Any]) -> Table:
    """The largest shares of an emotion's turns that are taken for another one; as above."""
    table = empty_table("Most confused")
    table.add_column("label")
    table.add_column("taken for")
    for name in ("share", "95 % interval", "turns"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found["confusions"]:
        cells = (*with_interval(one["share"]), f"{one['turns']:,}")
        table.add_row(escape(one["label"]), escape(one["prediction"]), *cells)
    return table


def breakdown_notes(found: Mapping[str, Any]) -> Iterator[str]:
    """What must be said of the tables; as above."""
    yield f"Intervals: percentiles of {found['bootstrap']['resamples']:,} bootstrap resamples of dialogues."
    if found["dialogues"] < FEW:
        yield f"There are fewer than {FEW} dialogues: the intervals are too narrow."
    elif any(one["few"] for one in found["slices"]):
        yield f"* from fewer than {FEW} dialogues: the interval is too narrow."


def with_interval(entry: Numbers) -> tuple[str, str]:
    """A share with its deviation over seeds, where there is one, and its interval, in percent."""
    value, std, low, high = (entry[name] for name in ("value", "std", "low", "high"))
    if value is None or low is None or high is None:
        return "none", ""
    return percent(value) + (f" ± {percent(std)}" if std is not None else ""), f"{percent(low)} to {percent(high)}"
