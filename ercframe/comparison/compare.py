"""Runs beside each other as numbers: scores with intervals, tests against a baseline, what selection on test claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import ercframe
from ercframe.comparison.comparable import require_comparable
from ercframe.comparison.finished import FinishedRun
from ercframe.comparison.naming import Called
from ercframe.comparison.naming import names as names_of
from ercframe.comparison.versus import Test, tested
from ercframe.statistics.bootstrap import LEVEL, RESAMPLES, bootstrap, percentile_interval
from ercframe.statistics.confusion import HEADLINE, headline_and_f1
from ercframe.statistics.holm import holm
from ercframe.statistics.mcnemar import IGNORES_DIALOGUES
from ercframe.statistics.seeds import mean_over_seeds, seed_weights
from ercframe.summary import spread

SCHEMA_VERSION = 1
"""Version of what :func:`compare` returns, which ``--json`` keeps."""
SEED = 0
"""Of all draws."""
ALPHA = 0.05
"""Corrected p-values below it have a mark."""

ONE_SEED = "Over one seed no test can tell a better recipe from a luckier seed."
FEW_SEEDS = (
    "Over two to four seeds p-values may be too small: where a seed moves a score more than other dialogues would, the "
    "bootstrap tells equal recipes apart more often than it says. Five or more tell more; docs/statistics.md has rates."
)
ENOUGH_SEEDS = 5
"""Over fewer, :data:`FEW_SEEDS` is told."""
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
    entries = [_entry(run, name, draw_seeds) for run, name in zip(runs, called, strict=True)]
    for entry, run in zip(entries, runs, strict=True):
        entry["difference"], entry["not_tested"] = None, _untestable(run, runs[baseline])
        if run is not runs[baseline] and not entry["not_tested"]:
            entry["difference"] = tested(run, runs[baseline], of, test, draw_seeds, SEED)
    _correct([entry["difference"] for entry in entries if entry["difference"]])
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
        "warnings": list(
            _warnings([entry["difference"] for entry in entries if entry["difference"]], test, draw_seeds)
        ),
        "runs": entries,
    }


def _entry(run: FinishedRun, name: str, draw_seeds: bool) -> dict[str, Any]:
    """Everything about a run that does not depend on the others."""
    summary = run.summary
    scores = _scores(run, draw_seeds)
    labels = summary["dataset"]["labels"]
    return {
        "name": name,
        "recipe": summary["recipe"],
        "folder": run.path.resolve().name,
        "whole": run.whole,
        "seeds_wanted": _wanted(run.recipe),
        "status": summary["status"],
        "selection": summary["selection"],
        "monitor": summary["protocol"]["monitor"],
        "parameters": summary["parameters"],
        "seeds": list(run.seed_numbers),
        "generated": summary["dataset"]["generated"],
        "made": {key: run.environment.get(key) for key in ("started", "ercframe", "torch", "device", "threads")},
        "scores": dict(zip(HEADLINE, scores, strict=False)),
        "f1": dict(zip(labels, scores[len(HEADLINE) :], strict=True)),
        "selected_on_test": _another_way(run.seeds, "selected_on_test"),
        "last": _another_way(run.seeds, "last"),
    }


def _scores(run: FinishedRun, draw_seeds: bool) -> list[dict[str, Any]]:
    """Each statistic: the value of every seed, mean, standard deviation (ddof 1) and interval."""
    values_SK = headline_and_f1(run.test.counts.sum(axis=0))
    drawn_RSK = bootstrap(run.test.counts, headline_and_f1, seed=SEED)
    weights_RS = seed_weights(len(run.seeds), len(drawn_RSK), SEED, draw_seeds)
    low_K, high_K = percentile_interval(mean_over_seeds(drawn_RSK, weights_RS))
    found = []
    for k in range(values_SK.shape[1]):
        values = [float(x) for x in np.nan_to_num(values_SK[:, k])]  # as in the summary: 0 where it occurs nowhere
        ends = {"low": _number(low_K[k]), "high": _number(high_K[k])}
        found.append({"seeds": values, **spread(values), **ends})
    return found


def _another_way(seeds: Sequence[Mapping[str, Any]], way: str) -> dict[str, Any] | None:
    """The headline under another way of choosing the epoch, and by how much more it claims; None if not recorded."""
    if not all(way in seed for seed in seeds):
        return None
    found = {}
    for name in HEADLINE:
        values = [seed[way]["test"][name] for seed in seeds]
        gaps = [value - seed["selected"]["test"][name] for value, seed in zip(values, seeds, strict=True)]
        found[name] = {"seeds": values, **spread(values), "gap": spread(gaps)["mean"]}
    return found


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
    fewest = min((len(found["seeds"]) for found in differences), default=ENOUGH_SEEDS)
    if fewest == 1:
        yield ONE_SEED
    elif differences and (test != "bootstrap" or not draw_seeds):
        yield THESE_MODELS
    elif fewest < ENOUGH_SEEDS:
        yield FEW_SEEDS


def _wanted(recipe: Mapping[str, Any]) -> int:
    """How many seeds the recipe asks for."""
    seeds = recipe["protocol"]["seeds"]
    return seeds if isinstance(seeds, int) else len(seeds)


def _number(x: float) -> float | None:
    return None if np.isnan(x) else float(x)
