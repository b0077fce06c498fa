"""Runs beside each other as numbers: scores with intervals, tests against a baseline, what selection on test claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import ercframe
from ercframe.comparison.comparable import require_comparable
from ercframe.comparison.entries import SEED, entry
from ercframe.comparison.finished import FinishedRun
from ercframe.comparison.naming import Called
from ercframe.comparison.naming import names as names_of
from ercframe.comparison.versus import Test, tested
from ercframe.statistics.bootstrap import LEVEL, RESAMPLES
from ercframe.statistics.holm import holm
from ercframe.statistics.mcnemar import IGNORES_DIALOGUES

SCHEMA_VERSION = 1
"""Version of what :func:`compare` returns, which ``--json`` keeps."""
ALPHA = 0.05
"""Corrected p-values below it have a mark."""

ONE_SEED = "Over one seed no test can tell a better recipe from a luckier seed."
THESE_MODELS = "The p-values are about these trained models; training the recipes again may tell otherwise."

# Shape letters: S seeds, B dialogues, C emotions, R resamples, K statistics: the headline, then the F1 of each emotion.


def compare(
    runs: Sequence[FinishedRun],
    *,
    baseline: int = 0,
    metric: str = "weighted_f1",
    test: Test = "bootstrap",
    draw_seeds: bool = True,
    other_data: bool = False,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Compare runs with one of them.

    Args:
        runs: at least one.
        baseline: which of them the others are held against.
        metric: score that is tested, one of weighted_f1, accuracy and macro_f1.
        test: how; ``mcnemar`` tests accuracy.
        draw_seeds: whether intervals and the bootstrap test hold what another training would change.
        other_data: see :func:`~ercframe.comparison.comparable.require_comparable`.
        names: what to call the runs; by their recipes if left out.

    Returns:
        What ``--json`` keeps; docs/compare.md describes it.

    Raises:
        InputError: they cannot be compared; says why of each.
    """
    if names is None:
        names = names_of([Called(run.summary["recipe"], run.recipe, run.path) for run in runs])
    called = list(names)
    require_comparable(runs, called, baseline, other_data)
    of = "accuracy" if test == "mcnemar" else metric
    entries = [entry(run, name, draw_seeds) for run, name in zip(runs, called, strict=True)]
    for one, run in zip(entries, runs, strict=True):
        one["difference"], one["not_tested"] = None, _untestable(run, runs[baseline])
        if run is not runs[baseline] and not one["not_tested"]:
            one["difference"] = tested(run, runs[baseline], of, test, draw_seeds, SEED)
    _correct([one["difference"] for one in entries if one["difference"]])
    first, test_split = runs[baseline].summary["dataset"], runs[baseline].test
    return {
        "schema_version": SCHEMA_VERSION,
        "ercframe": ercframe.__version__,
        "dataset": {"name": first["name"], "generated": any(r.summary["dataset"]["generated"] for r in runs)},
        "split": "test",
        "labels": list(first["labels"]),
        "turns": len(test_split.ids),
        "dialogues": len(test_split.dialogues),
        "support": np.bincount(test_split.label, minlength=len(first["labels"])).tolist(),
        "metric": metric,
        "baseline": called[baseline],
        "intervals": {
            "unit": "dialogue",
            "resamples": RESAMPLES,
            "level": LEVEL,
            "seed": SEED,
            "seeds": "drawn" if draw_seeds else "held",
        },
        "test": {"name": test, "metric": of, "correction": "holm", "alpha": ALPHA},
        "warnings": list(_warnings([one["difference"] for one in entries if one["difference"]], test, draw_seeds)),
        "runs": entries,
    }


def _untestable(run: FinishedRun, base: FinishedRun) -> str | None:
    """Why a difference to the baseline would not be one of the recipes."""
    ours, theirs = run.summary["selection"], base.summary["selection"]
    return f"{ours}, and the baseline {theirs}" if ours != theirs else None


def _correct(differences: Sequence[dict[str, Any]]) -> None:
    """Add what Holm's correction over all of them makes of the p-values."""
    for found, adjusted in zip(differences, holm([one["p"] for one in differences]), strict=True):
        found["p_holm"], found["significant"] = adjusted, adjusted < ALPHA


def _warnings(differences: Sequence[Mapping[str, Any]], test: Test, draw_seeds: bool) -> Iterator[str]:
    """What has to be known of the p-values."""
    if differences and test == "mcnemar":
        yield IGNORES_DIALOGUES
    if any(len(found["seeds"]) == 1 for found in differences):
        yield ONE_SEED
    elif differences and (test != "bootstrap" or not draw_seeds):
        yield THESE_MODELS
