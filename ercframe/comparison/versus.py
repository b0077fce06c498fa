"""One run against the baseline: the difference over the seeds that both have, its interval and its p-value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ercframe.comparison.finished import FinishedRun
from ercframe.statistics.bootstrap import Floats, bootstrap, percentile_interval
from ercframe.statistics.confusion import HEADLINE, headline
from ercframe.statistics.mcnemar import mcnemar_over_seeds
from ercframe.statistics.paired import bootstrap_p, randomisation_p
from ercframe.statistics.seeds import mean_over_seeds, seed_weights

Test = Literal["bootstrap", "randomisation", "mcnemar"]
TESTS: tuple[str, ...] = get_args(Test)

# Shape letters: S seeds that both runs have, B dialogues, C emotions, R resamples.


def tested(
    run: FinishedRun, base: FinishedRun, metric: str, test: Test, draw_seeds: bool, seed: int
) -> Mapping[str, Any]:
    """The difference of a run to the baseline.

    Args:
        run: the run.
        base: the baseline, on the same turns of test.
        metric: score that differs.
        test: where its p-value comes from; ``mcnemar`` can test accuracy only.
        draw_seeds: whether the interval and the bootstrap draw seeds, the same ones of both runs.
        seed: of all draws.

    Returns:
        ``seeds`` that both have, ``value``, ``low``, ``high`` and ``p``.
    """
    seeds = [number for number in base.seed_numbers if number in run.seed_numbers]
    rows, base_rows = run.rows(seeds), base.rows(seeds)
    ours_BSCC, theirs_BSCC = run.test.counts[:, rows], base.test.counts[:, base_rows]

    def scores(counts_XCC: NDArray[Any]) -> Floats:
        return headline(counts_XCC)[..., HEADLINE.index(metric)]

    value = float(np.mean(scores(ours_BSCC.sum(axis=0)) - scores(theirs_BSCC.sum(axis=0))))
    drawn_RS = bootstrap(ours_BSCC, scores, seed=seed) - bootstrap(theirs_BSCC, scores, seed=seed)
    weights_RS = seed_weights(len(seeds), len(drawn_RS), seed, draw_seeds)
    drawn_R = mean_over_seeds(drawn_RS[:, :, None], weights_RS)[:, 0]
    low, high = percentile_interval(drawn_R)
    if test == "bootstrap":
        p = bootstrap_p(drawn_R)
    elif test == "randomisation":
        p = randomisation_p(ours_BSCC, theirs_BSCC, lambda sums: scores(sums).mean(axis=1), seed=seed)
    else:
        p = mcnemar_over_seeds(run.test.right[rows], base.test.right[base_rows])
    return {"seeds": seeds, "value": value, "low": float(low), "high": float(high), "p": p}
