r"""How far probabilities can be believed: calibration error, likelihood, Brier score, and the table behind a plot.

A model is calibrated where, of the predictions made with a probability of 0.7, seven in ten are right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.calibration import SMALLEST

# Shape letters: N utterances, C emotions, K bins.

BINS = 15
"""As in Guo et al. (2017)."""


@dataclass(frozen=True)
class Bins:
    """Predictions by the probability with which they were made, in bins of equal width that hold their upper ends.

    Attributes:
        count: predictions, ``(K,)``.
        confidence: sum of their probabilities, ``(K,)``.
        right: how many are right, ``(K,)``.
    """

    count: NDArray[np.float64]
    confidence: NDArray[np.float64]
    right: NDArray[np.float64]

    @classmethod
    def of(cls, probability_NC: NDArray[Any], label_N: NDArray[Any], bins: int = BINS) -> Bins:
        """Sort the likeliest emotion of each utterance into bins, K of them."""
        top_N = probability_NC.max(axis=1)
        bin_N = np.clip(np.ceil(top_N * bins).astype(np.intp) - 1, 0, bins - 1)
        right_N = probability_NC.argmax(axis=1) == label_N

        def summed(weight_N: NDArray[Any]) -> NDArray[np.float64]:
            return np.bincount(bin_N, weight_N, minlength=bins).astype(np.float64)

        return cls(summed(np.ones_like(top_N)), summed(top_N), summed(right_N))

    def __add__(self, other: Bins) -> Bins:
        """Those of both together."""
        return Bins(self.count + other.count, self.confidence + other.confidence, self.right + other.right)

    def error(self) -> float:
        r"""Expected calibration error (Naeini et al. 2015).

        .. math:: \mathrm{ECE} = \sum_k \frac{n_k}{N} \, | \mathrm{acc}_k - \mathrm{conf}_k |
        """
        return float(np.abs(self.right - self.confidence).sum() / self.count.sum())

    def rows(self) -> list[dict[str, Any]]:
        """A row for each bin: its ends, ``count``, mean ``confidence`` and ``accuracy``, None in an empty one."""
        edges = np.linspace(0, 1, len(self.count) + 1).round(6).tolist()
        sums = zip(self.count.tolist(), self.confidence.tolist(), self.right.tolist(), strict=True)
        return [
            {
                "low": low,
                "high": high,
                "count": int(n),
                "confidence": confidence / n if n else None,
                "accuracy": right / n if n else None,
            }
            for low, high, (n, confidence, right) in zip(edges, edges[1:], sums, strict=False)
        ]


def negative_log_likelihood(probability_NC: NDArray[Any], label_N: NDArray[Any]) -> float:
    """Mean negative logarithm of the label's probability, in nats.

    A probability below :data:`~ercframe.calibration.SMALLEST` counts as that.
    """
    return float(surprise(probability_NC, label_N).mean())


def surprise(probability_NC: NDArray[Any], label_N: NDArray[Any]) -> NDArray[np.float64]:
    """The negative logarithm of each label's probability, in nats, ``(N,)``; bounded as above."""
    true_N = probability_NC[np.arange(len(label_N)), label_N]
    surprise_N: NDArray[np.float64] = -np.log(np.maximum(true_N, SMALLEST))
    return surprise_N


def brier_score(probability_NC: NDArray[Any], label_N: NDArray[Any]) -> float:
    r"""Mean squared distance to the label, over all emotions, from 0 to 2 (Brier 1950).

    .. math:: \frac1N \sum_n \sum_c (p_{nc} - [c = y_n])^2
    """
    return float(squared_distance(probability_NC, label_N).mean())


def squared_distance(probability_NC: NDArray[Any], label_N: NDArray[Any]) -> NDArray[np.float64]:
    """From the probabilities of each utterance to its label, over all emotions, ``(N,)``."""
    distance_NC = probability_NC.astype(np.float64)
    distance_NC[np.arange(len(label_N)), label_N] -= 1
    distance_N: NDArray[np.float64] = (distance_NC**2).sum(axis=1)
    return distance_N
