r"""Scores of several seeds on the same dialogues: their mean, their deviation, and an interval over dialogues.

With the score :math:`f_s` of seed :math:`s`, the estimand is the mean :math:`\frac1S \sum_s f_s` on dialogues drawn
from where the test dialogues came from. A resample draws dialogues, the same ones for all seeds, as
:mod:`~ercframe.statistics.bootstrap` does, and takes the mean over the seeds again. So the interval holds what other
dialogues would change, and the deviation, with ddof 1, what another seed would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.statistics.bootstrap import LEVEL, RESAMPLES, Floats, bootstrap, percentile_interval

# Shape letters: B dialogues, S seeds, R resamples, K statistics, ... whatever is counted.

SEED = 0
"""Of the bootstrap's draws."""
FEW = 20
"""With fewer dialogues the intervals are too narrow, which is told."""


@dataclass(frozen=True)
class Estimate:
    """A statistic; NaN where there is nothing to say.

    Attributes:
        value: its mean over the seeds.
        std: its deviation over them, with ddof 1; NaN for one seed.
        low: lower end of the interval over dialogues.
        high: upper end.
    """

    value: float
    std: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """Under the names of the attributes, with None for NaN."""
        return {name: None if np.isnan(x) else float(x) for name, x in vars(self).items()}


def estimates(counts_BS: NDArray[Any], statistic: Callable[[Floats], Floats]) -> list[Estimate]:
    """Each statistic over seeds and dialogues.

    Args:
        counts_BS: counts of each dialogue and seed, ``(B, S, ...)``.
        statistic: takes added counts, ``(R, S, ...)``, to statistics of each seed, ``(R, S, K)``; NaN where there is
            nothing to say, which makes the mean over the seeds NaN, too.

    Returns:
        K estimates.

    Raises:
        ValueError: there is no dialogue.
    """
    low_K, high_K = percentile_interval(bootstrap(counts_BS, lambda sums: statistic(sums).mean(axis=1), seed=SEED))
    each_SK = statistic(counts_BS.sum(axis=0, dtype=np.float64)[None])[0]
    std_K = each_SK.std(axis=0, ddof=1) if len(each_SK) > 1 else np.full_like(low_K, np.nan)
    return [Estimate(*map(float, row)) for row in zip(each_SK.mean(axis=0), std_K, low_K, high_K, strict=True)]


def drawn() -> dict[str, Any]:
    """How the intervals were made, for files that hold them."""
    return {"unit": "dialogue", "resamples": RESAMPLES, "level": LEVEL, "seed": SEED}
