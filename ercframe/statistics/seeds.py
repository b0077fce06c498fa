r"""Seeds in a resample: what a training run of a recipe scores, not what these trained models score.

Training draws a seed, the test split draws dialogues, and a score varies with both. Over :math:`S` seeds the score of
a recipe is the mean of its models' scores. Where seeds are *held*, a resample draws dialogues only, the same ones for
every seed, and the interval is about these very models. Where seeds are *drawn*, the interval is about the expected
score of a training run of the recipe: a resample also draws what the mean over all seeds could be, given that these
:math:`S` have the mean :math:`\bar f` and the deviation :math:`s`,

.. math:: \bar f + \frac{s}{\sqrt S}\, t_{S-1}

Drawing some of the seeds again, as dialogues are drawn, would say too little: five seeds have few resamples, and their
deviation is hardly known itself. Student's t has that in it, and takes the scores of seeds to be normal (Student 1908;
as what a mean can be, given what was seen: Box and Tiao 1973, 2.4). One seed says nothing of others: it is held.
"""

from __future__ import annotations

import numpy as np

from ercframe.statistics.bootstrap import Floats

# Shape letters: R resamples, S seeds, K statistics.


def seed_weights(seeds: int, resamples: int, seed: int, drawn: bool = True) -> Floats:
    r"""What share each seed has in the mean of each resample, ``(R, S)``; rows sum up to 1.

    Shares of drawn seeds are, with standard normal :math:`z`,

    .. math:: \frac1S + \frac{z_s - \bar z}{\sqrt{S\, \chi^2_{S-1}}}

    and can be negative: whatever S numbers they are applied to, their mean is then drawn from Student's t. The same
    number of seeds, ``resamples`` and ``seed`` draw the same shares, so runs with the same seeds are paired.

    Args:
        seeds: S.
        resamples: R.
        seed: of the draws; they differ from those of dialogues.
        drawn: whether seeds are drawn; else each has the same share everywhere.
    """
    if not drawn or seeds == 1:
        return np.full((resamples, seeds), 1 / seeds)
    rng = np.random.default_rng([seed, seeds])
    z_RS = rng.standard_normal((resamples, seeds))
    spread_R1 = np.sqrt(seeds * rng.chisquare(seeds - 1, size=(resamples, 1)))
    shares: Floats = 1 / seeds + (z_RS - z_RS.mean(axis=1, keepdims=True)) / spread_R1
    return shares


def mean_over_seeds(values_RSK: Floats, weights_RS: Floats) -> Floats:
    """The mean over the seeds of each resample, ``(R, K)``."""
    mean: Floats = np.einsum("rsk,rs->rk", values_RSK, weights_RS)
    return mean
