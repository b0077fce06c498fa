r"""Seeds in a resample: what a training run of a recipe scores, not what these trained models score.

Training draws a seed, the test split draws dialogues, and a score varies with both. Over :math:`S` seeds the score of
a recipe is the mean of its models' scores. Where seeds are *held*, a resample draws dialogues only, the same ones for
every seed, and the interval is about these very models. Where seeds are *drawn*, it also draws :math:`S - 1` of the
:math:`S` seeds with replacement, and the interval is about the expected score of a training run of the recipe. One
fewer than there are makes the variance of the drawn mean that of the mean, :math:`s^2 / S`; drawing 5 of 5 would lose
a fifth of it (McCarthy and Snowden 1985; Rao and Wu 1988). One seed says nothing of others: it is held.
"""

from __future__ import annotations

import numpy as np

from ercframe.statistics.bootstrap import Floats

# Shape letters: R resamples, S seeds, K statistics.


def seed_weights(seeds: int, resamples: int, seed: int, drawn: bool = True) -> Floats:
    """What share each seed has in the mean of each resample, ``(R, S)``; rows sum up to 1.

    The same number of seeds, ``resamples`` and ``seed`` draw the same seeds, so runs with the same seeds are paired.

    Args:
        seeds: S.
        resamples: R.
        seed: of the draws; they differ from those of dialogues.
        drawn: whether seeds are drawn; else each has the same share everywhere.
    """
    if not drawn or seeds == 1:
        return np.full((resamples, seeds), 1 / seeds)
    rng = np.random.default_rng([seed, seeds])
    return rng.multinomial(seeds - 1, [1 / seeds] * seeds, size=resamples) / (seeds - 1)


def mean_over_seeds(values_RSK: Floats, weights_RS: Floats) -> Floats:
    """The mean over the seeds of each resample, ``(R, K)``."""
    mean: Floats = np.einsum("rsk,rs->rk", values_RSK, weights_RS)
    return mean
