"""What came out of every trial, from the summaries of the run folders."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ercframe.protocol import OWN
from ercframe.runs import RunFolder
from ercframe.statistics.confusion import HEADLINE


def scores_of(run: RunFolder) -> dict[str, Any]:
    """What a finished run says: protocol, parameters, version, seeds, mean and deviation of its scores over them."""
    summary = run.read_summary()
    return {
        "selection": summary["selection"],
        "monitor": summary["protocol"]["monitor"],
        "generated": summary["dataset"]["generated"],
        "corpus": summary["dataset"]["name"],
        "test": summary["dataset"].get("test", OWN),
        "parameters": summary["parameters"],
        "ercframe": run.read_environment()["ercframe"],
        "seeds": [entry["seed"] for entry in summary["seeds"]],
        "seconds": round(sum(entry["seconds"] for entry in summary["seeds"]), 1),
        "scores": summary["over_seeds"]["selected"],
    }


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each trial, scores as shares of 1; a column for every key that any trial changes."""
    keys = list(dict.fromkeys(key for row in rows for key in row["changes"]))
    table = [{"trial": row["name"], **_cells(row, keys)} for row in rows]
    text = io.StringIO()
    names = list(dict.fromkeys(name for cells in table for name in cells))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def _cells(row: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    result = row["result"] or {}
    cells = {key: row["changes"].get(key, "") for key in keys} | {"status": row["status"]}
    about = ("corpus", "generated", "test", "selection", "parameters", "ercframe")
    cells |= {name: result.get(name, "") for name in about}
    cells |= {"seeds": " ".join(map(str, result.get("seeds", [])))}
    return cells | dict(_score_cells(result.get("scores", {}))) | {"folder": row["folder"], "error": row["error"]}


def _score_cells(scores: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for split in ("dev", "test"):
        for name in HEADLINE:
            found = scores.get(split, {}).get(name, {})
            for statistic in ("mean", "std"):
                value = found.get(statistic)
                yield f"{split}_{name}_{statistic}", "" if value is None else value
