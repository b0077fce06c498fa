"""What is said of one run wherever runs stand beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.comparison.finished import FinishedRun
from ercframe.protocol import OWN
from ercframe.statistics.bootstrap import Floats, bootstrap, percentile_interval
from ercframe.statistics.confusion import HEADLINE, headline_and_f1
from ercframe.statistics.seeds import mean_over_seeds, seed_weights
from ercframe.summary import spread

SEED = 0
"""Of all draws."""

# Shape letters: S seeds, B dialogues, C emotions, R resamples, K statistics.


def entry(run: FinishedRun, name: str, draw_seeds: bool) -> dict[str, Any]:
    """Everything about a run that does not depend on the others."""
    summary = run.summary
    scores = scored(run.test.counts, headline_and_f1, draw_seeds)
    labels = summary["dataset"]["labels"]
    return {
        "name": name,
        "recipe": summary["recipe"],
        "folder": run.path.resolve().name,
        "whole": run.whole,
        "seeds_wanted": _wanted(run.recipe),
        "status": summary["status"],
        "selection": summary["selection"],
        "test": summary["dataset"].get("test", OWN),  # versions before groups had no other
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


def scored(
    counts_BSCC: NDArray[Any], statistic: Callable[[NDArray[Any]], Floats], draw_seeds: bool
) -> list[dict[str, Any]]:
    """Each statistic: the value of every seed, mean, standard deviation (ddof 1) and interval.

    Args:
        counts_BSCC: confusion counts of each dialogue and seed.
        statistic: takes confusion counts ``(..., C, C)`` to statistics ``(..., K)``.
        draw_seeds: whether the interval holds what another training would change.
    """
    values_SK = statistic(counts_BSCC.sum(axis=0))
    drawn_RSK = bootstrap(counts_BSCC, statistic, seed=SEED)
    weights_RS = seed_weights(counts_BSCC.shape[1], len(drawn_RSK), SEED, draw_seeds)
    # Scores end at 0 and 1; what two seeds let their mean be does not.
    low_K, high_K = percentile_interval(mean_over_seeds(drawn_RSK, weights_RS)).clip(0, 1)
    found = []
    for k in range(values_SK.shape[1]):
        values = [float(x) for x in np.nan_to_num(values_SK[:, k])]  # as in the summary: 0 where it occurs nowhere
        found.append({"seeds": values, **spread(values), "low": number(low_K[k]), "high": number(high_K[k])})
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


def _wanted(recipe: Mapping[str, Any]) -> int:
    """How many seeds the recipe asks for."""
    seeds = recipe["protocol"]["seeds"]
    return seeds if isinstance(seeds, int) else len(seeds)


def number(x: float) -> float | None:
    """A number as JSON has it: None for NaN."""
    return None if np.isnan(x) else float(x)
