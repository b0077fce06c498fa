r"""Intervals over groups of dialogues, such as recording sessions, of which there are few: the delete-one jackknife.

Dialogues of a session share speakers, and in a cross-validation a model, so they are more alike than those of two
sessions, and what is drawn must be sessions. Of five there are only 126 bootstrap resamples, whose percentiles are far
too narrow; leaving each out once gives a standard error, and Student's t what so few degrees of freedom are worth.

.. math::
    \hat\sigma^2 = \frac{G - 1}{G} \sum_{g=1}^{G} \bigl(\hat\theta_{(g)} - \bar\theta_{(\cdot)}\bigr)^2, \qquad
    \hat\theta \pm t_{G-1,\,0.975}\, \hat\sigma

with the score :math:`\hat\theta_{(g)}` of all groups but :math:`g`, and the mean :math:`\bar\theta_{(\cdot)}` of these.
Efron and Tibshirani (1993), *An introduction to the bootstrap*, chapter 11; groups as units: Wolter (2007),
*Introduction to variance estimation*, chapter 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.statistics.bootstrap import LEVEL, Floats

# Shape letters: G groups, ... whatever is counted, K statistics.


def jackknife_interval(
    counts_G: NDArray[Any], statistic: Callable[[NDArray[Any]], Floats], level: float = LEVEL
) -> Floats:
    """Ends of an interval for each statistic, ``(2, K)``; NaN where leaving out a group leaves nothing to say.

    Args:
        counts_G: counts of each group, ``(G, ...)``.
        statistic: takes added counts, ``(R, ...)``, to statistics, ``(R, K)``, which are shares of 1.
        level: how often it shall hold what it is about.

    Raises:
        ValueError: there are fewer than two groups.
    """
    from scipy.stats import t

    groups = len(counts_G)
    if groups < 2:
        raise ValueError(f"there must be at least two groups (got {groups})")
    total = counts_G.sum(axis=0)
    value_K = statistic(total[None])[0]
    without_GK = statistic(total - counts_G)
    error_K = np.sqrt((groups - 1) * without_GK.var(axis=0))
    reach_K = t.ppf((1 + level) / 2, groups - 1) * error_K
    ends_2K: Floats = np.clip(np.stack([value_K - reach_K, value_K + reach_K]), 0.0, 1.0)
    return ends_2K
