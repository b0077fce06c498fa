r"""Tests between two runs on the same dialogues: paired bootstrap and approximate randomisation.

Both add 1 to the resamples that are as extreme and to their number, so that no p-value is 0 (Davison and Hinkley 1997,
4.2). Neither takes turns to be independent: dialogues are what is drawn, or swapped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.statistics.bootstrap import RESAMPLES, Floats

# Shape letters: R resamples, B dialogues, ... whatever is counted.

_AT_A_TIME = 2_000_000  # numbers of a chunk of resamples
_ROUNDING = 1e-12  # differences nearer to each other than this are equal


def bootstrap_p(drawn_R: Floats) -> float:
    r"""Two-sided p-value of a difference, from resamples: the level at which the percentile interval just holds 0.

    .. math:: p = \min\Bigl(1,\; 2\, \frac{1 + \min(\#\{r : d^*_r \le 0\},\ \#\{r : d^*_r \ge 0\})}{1 + R}\Bigr)

    So test and interval say the same. Efron and Tibshirani (1993), *An introduction to the bootstrap*, 15 and 16.

    Args:
        drawn_R: :math:`d^*`, in resamples that drew the same dialogues for both runs; NaN are left out.
    """
    there = drawn_R[~np.isnan(drawn_R)]
    rarer = min(np.sum(there <= _ROUNDING), np.sum(there >= -_ROUNDING))
    return min(1.0, float(2 * (1 + rarer) / (1 + len(there))))


def randomisation_p(
    first_B: NDArray[Any],
    second_B: NDArray[Any],
    score: Callable[[Floats], Floats],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> float:
    r"""Two-sided p-value of a difference: how often it is as large where runs swap their answers by chance.

    .. math:: p = \frac{1 + \#\{r : |d^*_r| \ge |d|\}}{1 + R}

    In each resample, each dialogue's answers change sides with probability ½, all of its turns and all seeds at once.
    It tests whether *these models* could have their answers exchanged; what another training would give is not in it.
    Noreen (1989), *Computer-intensive methods for testing hypotheses*; Yeh (2000), *More accurate tests for the
    statistical significance of result differences*.

    Args:
        first_B: counts of each dialogue, ``(B, ...)``, of the first run.
        second_B: of the second, with the same dialogues, seeds and classes.
        score: takes added counts, ``(R, ...)``, to scores, ``(R,)``.
        resamples: R.
        seed: of the draws.
    """
    shape, dialogues = first_B.shape[1:], len(first_B)
    first_BX, second_BX = (x.reshape(dialogues, -1).astype(np.float64) for x in (first_B, second_B))
    sums = [x.sum(axis=0) for x in (first_BX, second_BX)]

    def difference(swapped_RX: Floats) -> Floats:
        return score((sums[0] - swapped_RX).reshape(-1, *shape)) - score((sums[1] + swapped_RX).reshape(-1, *shape))

    rng, found = np.random.default_rng(seed), []
    size = max(1, _AT_A_TIME // max(first_BX.shape))
    for start in range(0, resamples, size):
        swaps_RB = rng.integers(2, size=(min(size, resamples - start), dialogues)).astype(np.float64)
        found.append(difference(swaps_RB @ (first_BX - second_BX)))
    observed = float(np.abs(difference(np.zeros((1, first_BX.shape[1]))))[0])
    as_large = np.abs(np.concatenate(found)) >= observed - _ROUNDING
    return float((1 + np.sum(as_large)) / (1 + resamples))
