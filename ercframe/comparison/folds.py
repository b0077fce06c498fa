"""A cross-validation as numbers: each fold, the mean over folds, and all dialogues as one test set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ercframe
from ercframe.comparison.entries import SEED, entry, number, scored
from ercframe.comparison.finished import FinishedRun
from ercframe.errors import InputError, Problem
from ercframe.statistics.bootstrap import LEVEL, RESAMPLES, Floats
from ercframe.statistics.confusion import HEADLINE, class_f1, headline, macro_recall
from ercframe.statistics.groups import jackknife_interval
from ercframe.summary import spread

SCHEMA_VERSION = 1
"""Version of what :func:`cross_validated` returns, which ``crossval.json`` keeps."""
KIND = "crossval"
"""By which such a file is told from a comparison."""
SCORES = (*HEADLINE, "macro_recall")

# Shape letters: G groups, S seeds, B dialogues, C emotions, K statistics: SCORES, then the F1 of each emotion.


def cross_validated(folds: Mapping[str, FinishedRun]) -> dict[str, Any]:
    """Put the runs of a cross-validation together.

    Args:
        folds: the run of each group, by a name; at least two.

    Returns:
        What ``crossval.json`` keeps; docs/crossval.md describes it.

    Raises:
        InputError: they are no folds of one corpus, each with all its seeds; says why of each.
    """
    runs = list(folds.values())
    _require_folds(folds)
    counts_BSCC = np.concatenate([run.test.counts for run in runs])
    counts_GSCC = np.stack([run.test.counts.sum(axis=0) for run in runs])
    first, labels = runs[0].summary, list(runs[0].test.labels)
    entries = [_fold(name, run) for name, run in folds.items()]
    names, dataset = (*SCORES, *labels), first["dataset"]
    means = {name: spread(_of(fold, name)["mean"] for fold in entries) for name in names}
    pooled = dict(zip(names, _pooled(counts_BSCC, counts_GSCC), strict=True))
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "ercframe": ercframe.__version__,
        "dataset": {"name": dataset["name"], "generated": dataset["generated"]},
        "labels": labels,
        "selection": first["selection"],
        "seeds": list(runs[0].seed_numbers),
        "turns": sum(fold["turns"] for fold in entries),
        "dialogues": len(counts_BSCC),
        "support": counts_GSCC[:, 0].sum(axis=(0, 2)).tolist(),
        "intervals": {
            "dialogues": {"resamples": RESAMPLES, "level": LEVEL, "seed": SEED, "seeds": "drawn"},
            "groups": {"method": "delete-one jackknife, Student's t", "level": LEVEL, "degrees": len(runs) - 1},
        },
        "warnings": list(_warnings(folds)),
        "runs": entries,
        "over_folds": _parts(means, labels),
        "pooled": _parts(pooled, labels),
    }


def _fold(name: str, run: FinishedRun) -> dict[str, Any]:
    """A fold: everything about its run, its recall, what was held out and how much that is."""
    found, dataset = entry(run, name, draw_seeds=True), run.summary["dataset"]
    del found["test"]
    (recall,) = scored(run.test.counts, lambda counts: macro_recall(counts)[..., None], draw_seeds=True)
    found["scores"]["macro_recall"] = recall
    held_out = {key: run.summary["protocol"].get(key) for key in ("test_groups", "dev_groups")}
    return {**found, **held_out, "dialogues": dataset["dialogues"], "turns": len(run.test.ids)}


def _of(fold: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (fold["scores"] if name in SCORES else fold["f1"])[name]
    return found


def _pooled(counts_BSCC: NDArray[Any], counts_GSCC: NDArray[Any]) -> Iterator[dict[str, Any]]:
    """Each statistic of all dialogues as one test set: of every seed, over seeds, and both intervals."""
    ends_2K = jackknife_interval(counts_GSCC, lambda counts: _statistics(counts).mean(axis=1))
    for one, low, high in zip(scored(counts_BSCC, _statistics, draw_seeds=True), *ends_2K, strict=True):
        yield {**one, "groups": {"low": number(low), "high": number(high)}}


def _statistics(counts_XCC: NDArray[Any]) -> Floats:
    """``(..., K)``."""
    parts = [headline(counts_XCC), macro_recall(counts_XCC)[..., None], class_f1(counts_XCC)]
    return np.concatenate(parts, axis=-1)


def _parts(found: Mapping[str, Any], labels: list[str]) -> dict[str, Any]:
    return {"scores": {name: found[name] for name in SCORES}, "f1": {name: found[name] for name in labels}}


def _require_folds(folds: Mapping[str, FinishedRun]) -> None:
    (_, first), *_ = folds.items()
    times = Counter(dialogue for run in folds.values() for dialogue in run.test.dialogues)
    problems = []
    for name, run in folds.items():
        if run.test.labels != first.test.labels:
            got = ", ".join(run.test.labels)
            problems.append(Problem(name, "", f"must have the labels {', '.join(first.test.labels)} (got {got})"))
        if not run.whole or run.seed_numbers != first.seed_numbers:
            wanted, got = (", ".join(map(str, one.seed_numbers)) for one in (first, run))
            problems.append(Problem(name, "", f"must be finished, with the seeds {wanted} (got {got})"))
        if twice := [dialogue for dialogue in run.test.dialogues if times[dialogue] > 1]:
            problems.append(Problem(name, "", f"must have dialogues that no other has ({twice[0]} is in another)"))
    if problems or len(folds) < 2:
        raise InputError("these runs are no folds of a cross-validation", problems)


def _warnings(folds: Mapping[str, FinishedRun]) -> Iterator[str]:
    """What the runs warn of, each with the folds in which it holds."""
    found = dict[str, list[str]]()
    for name, run in folds.items():
        for warning in run.summary["dataset"].get("warnings", []):
            found.setdefault(warning, []).append(name)
    yield from (f"{', '.join(names)}: {warning}" for warning, names in found.items())
