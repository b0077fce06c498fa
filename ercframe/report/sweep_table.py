"""The results of a sweep as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ercframe.report.table import GENERATED, SHORT, Name, empty_table, told_of_test
from ercframe.report.words import mean_and_std
from ercframe.wording import counted


def score_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A row for each trial that is finished: mean ± std over its seeds, in percent.

    Args:
        name: of the recipe.
        rows: the trials of ``sweep.json``.
    """
    results = {row["name"]: row["result"] for row in rows if row["result"]}
    if not results:
        return Text("No trial is finished.")
    monitor = next(iter(results.values()))["monitor"]
    chosen = best_on_dev(rows)
    best = chosen["name"] if chosen else None
    differ = len(set(map(_told, results.values()))) > 1
    title = name if differ else _title(name, next(iter(results.values())))
    table = empty_table(title, _caption(list(results.values()), best))
    table.add_column("trial")
    for column in (f"dev\n{SHORT[monitor]}", *(f"test\n{short}" for short in SHORT.values())):
        table.add_column(column, justify="right", no_wrap=True)
    for trial, result in results.items():
        shown = f"{trial} ({_told(result)})" if differ else trial
        table.add_row(*_cells(shown, result, monitor), style="bold" if trial == best else None)
    return table


def best_on_dev(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The trial with the best mean on dev, by the score that chose the epochs.

    None where there is no dev, or where trials differ in the protocol, the corpus or its splits, so that their dev
    scores are not of the same thing.
    """
    results = [row["result"] for row in rows if row["result"]]
    if len({(result["monitor"], _told(result)) for result in results}) > 1:
        return None
    if any(key.startswith("protocol.dev_") for row in rows for key in row["changes"]):
        return None
    with_dev = [row for row in rows if row["result"] and "dev" in row["result"]["scores"]]
    return max(with_dev, key=lambda row: _mean(row["result"], "dev", row["result"]["monitor"]), default=None)


def left_rows(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A line for each trial that is not finished, and why."""
    return Group(*(Text(f"{row['name']}: {row['status']}{why(row)}") for row in rows if not row["result"]))


def _cells(trial: str, result: Mapping[str, Any], monitor: str) -> list[RenderableType]:
    scores = result["scores"]
    dev = mean_and_std(scores["dev"][monitor]) if "dev" in scores else "no dev"
    return [Name(trial), dev, *(mean_and_std(scores["test"][short]) for short in SHORT)]


def _mean(result: Mapping[str, Any], split: str, score: str) -> float:
    return float(result["scores"][split][score]["mean"])


def _told(result: Mapping[str, Any]) -> str:
    """What must stand beside scores: what they are of, and how the epochs were chosen."""
    generated = ["generated data"] if result["generated"] else []
    return ", ".join([result["corpus"], *generated, *told_of_test(result), result["selection"]])


def _title(name: str, result: Mapping[str, Any]) -> str:
    title = f"{name} on {result['corpus']}: {', '.join([*told_of_test(result), result['selection']])}"
    return f"{title}\n{GENERATED}" if result["generated"] else title


def _caption(results: Sequence[Mapping[str, Any]], best: str | None) -> str:
    counts = sorted({len(result["seeds"]) for result in results})
    seeds = counted(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    text = f"In percent; mean ± std over {seeds}, with ddof 1."
    return f"{text} Bold: the best on dev, which alone may choose." if best else text


def why(row: Mapping[str, Any]) -> str:
    """A line of a trial's error, to follow its status: the first, or of a traceback the last."""
    lines = row["error"].splitlines()
    if not lines:
        return ""
    return f": {lines[-1 if any(line.startswith('Traceback ') for line in lines) else 0]}"
