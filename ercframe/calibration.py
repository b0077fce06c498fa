r"""Temperature scaling: probabilities that say how often a prediction is right.

.. math:: p'_c = \frac{p_c^{1/T}}{\sum_k p_k^{1/T}} = \operatorname{softmax}_c(z / T)

One number :math:`T` for all utterances and emotions (Guo et al. 2017, "On Calibration of Modern Neural Networks"). The
largest probability stays the largest, so that no prediction changes; above 1 the model was too sure of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shape letters: N utterances, C emotions.

LOWEST, HIGHEST = 0.05, 20.0
"""Between these a temperature is looked for: where every prediction is right, the best one would be 0."""
SMALLEST = 5e-7
"""What a recorded probability is taken to be at least: it was rounded to six digits."""


def fit_temperature(probability_NC: NDArray[Any], label_N: NDArray[Any]) -> float:
    r"""The temperature under which the labels have the highest likelihood.

    With :math:`\beta = 1/T` and :math:`z = \log p` the mean negative log likelihood is convex in :math:`\beta`; its
    derivative, :math:`\mathbb{E}_{p'}[z] - z_y`, grows with it, and its root is found by bisection.

    Args:
        probability_NC: what the model said, as :func:`~ercframe.evaluate.record` keeps it, ``(N, C)``.
        label_N: what is true, ``(N,)`` in 0 … C-1, N at least 1.

    Returns:
        The temperature, from :data:`LOWEST` to :data:`HIGHEST`.
    """
    z_NC = _log(probability_NC)
    true_N = z_NC[np.arange(len(z_NC)), label_N]
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(60):
        beta = (low + high) / 2
        slope = float(((_softmax(beta * z_NC) * z_NC).sum(axis=1) - true_N).mean())
        low, high = (beta, high) if slope < 0 else (low, beta)
    return 2 / (low + high)


def calibrated(probability_NC: NDArray[Any], temperature: float) -> NDArray[np.float64]:
    """Probabilities at a temperature, ``(N, C)``; at 1 they are what they were."""
    return _softmax(_log(probability_NC) / temperature)


def recorded(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Probabilities ``(N, C)`` and labels ``(N,)`` of rows of ``predictions.jsonl``."""
    probability_NC = np.array([[row["probabilities"][name] for name in labels] for row in rows]).reshape(
        -1, len(labels)
    )
    return probability_NC, np.array([labels.index(row["label"]) for row in rows], dtype=np.intp)


def _log(probability_NC: NDArray[Any]) -> NDArray[np.float64]:
    logs: NDArray[np.float64] = np.log(np.maximum(np.asarray(probability_NC, dtype=np.float64), SMALLEST))
    return logs


def _softmax(z_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    e_NC = np.exp(z_NC - z_NC.max(axis=1, keepdims=True))
    p_NC: NDArray[np.float64] = e_NC / e_NC.sum(axis=1, keepdims=True)
    return p_NC
