r"""Bootstrap over dialogues: how far a score would be another one with other dialogues.

The estimand is the score of these very predictions' model on a corpus of as many dialogues, drawn from where the test
dialogues came from. The turns of a dialogue depend on each other, so whole dialogues are drawn, :math:`B` with
replacement out of :math:`B`. The interval says nothing of training again with another seed, nor of other corpora; with
few dialogues it is too narrow.

Scores of confusion counts need no turn again: a resample is :math:`\sum_b w_b X_b`, with the counts :math:`X_b` of
dialogue :math:`b` and :math:`w \sim \operatorname{Multinomial}(B; 1/B, …, 1/B)`, one matrix product for all resamples.

Efron (1979), *Bootstrap methods: another look at the jackknife*; clusters as units: Davison and Hinkley (1997), 3.8.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shape letters: B dialogues, R resamples, ... whatever is counted, K statistics.

RESAMPLES = 10_000
LEVEL = 0.95
_AT_A_TIME = 2_000_000  # numbers of a chunk of resamples

Floats = NDArray[np.float64]


def bootstrap(
    counts_B: NDArray[Any], statistic: Callable[[Floats], Floats], resamples: int = RESAMPLES, seed: int = 0
) -> Floats:
    """The statistics of every resample, ``(R, K)``.

    The same number of dialogues, ``resamples`` and ``seed`` draw the same dialogues, whatever is counted.

    Args:
        counts_B: counts of each dialogue, ``(B, ...)``.
        statistic: takes added counts, ``(R, ...)``, to statistics, ``(R, K)``; NaN where there is nothing to say.
        resamples: R.
        seed: of the draws.

    Raises:
        ValueError: there is no dialogue.
    """
    dialogues = len(counts_B)
    if not dialogues:
        raise ValueError("there must be at least one dialogue to draw from")
    counts_BX = counts_B.reshape(dialogues, -1).astype(np.float64)
    rng = np.random.default_rng(seed)
    size = max(1, _AT_A_TIME // max(counts_BX.shape))
    found = []
    for start in range(0, resamples, size):
        weights_RB = _weights(rng, min(size, resamples - start), dialogues)
        found.append(statistic((weights_RB @ counts_BX).reshape(-1, *counts_B.shape[1:])))
    return np.concatenate(found)


def percentile_interval(values_RK: Floats, level: float = LEVEL) -> Floats:
    """The middle ``level`` of each statistic, ``(2, K)``, of the resamples in which there is one; NaN if in none."""
    tail = (1 - level) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        interval: Floats = np.nanquantile(values_RK, [tail, 1 - tail], axis=0)
    return interval


def _weights(rng: np.random.Generator, resamples: int, dialogues: int) -> Floats:
    """How often each dialogue is drawn, ``(R, B)``."""
    drawn_RB = rng.integers(dialogues, size=(resamples, dialogues))
    flat = (drawn_RB + dialogues * np.arange(resamples)[:, None]).ravel()
    return np.bincount(flat, minlength=resamples * dialogues).reshape(resamples, dialogues).astype(np.float64)
