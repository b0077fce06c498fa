"""Scores of confusion counts, of many at a time; the same numbers as :class:`ercframe.metrics.Scores`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shape letters: N turns, B dialogues, C emotions; ... any leading axes, such as resamples. Rows are labels.

NAMES = {"weighted_f1": "weighted F1", "accuracy": "accuracy", "macro_f1": "macro F1"}
"""What people call the scores that sum up predictions."""
HEADLINE = tuple(NAMES)
"""Their keys, in the order in which :func:`headline` returns them."""


def confusion_by(
    dialogue_N: NDArray[Any], label_N: NDArray[Any], predicted_N: NDArray[Any], shape: tuple[int, int]
) -> Any:
    """Confusion counts of each dialogue, ``(B, C, C)``; ``shape`` is ``(B, C)``."""
    dialogues, classes = shape
    counts = np.zeros((dialogues, classes, classes), dtype=np.int64)
    np.add.at(counts, (dialogue_N, label_N, predicted_N), 1)
    return counts


def class_f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    r"""F1 of each emotion, ``(..., C)``; NaN where it occurs in neither labels nor predictions.

    .. math:: F_1 = \frac{2 \, \mathrm{TP}}{2 \, \mathrm{TP} + \mathrm{FP} + \mathrm{FN}}
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    return _ratio(2 * right, confusion.sum(axis=-1) + confusion.sum(axis=-2))


def headline(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Weighted F1, accuracy and macro F1, ``(..., 3)``, in the order of :data:`HEADLINE`; NaN where nothing counts.

    Weighted F1 weighs each emotion's by its share of the labels; macro F1 is the plain mean over those that occur.
    """
    f1, support = class_f1(confusion), confusion.sum(axis=-1)
    total, occurs = support.sum(axis=-1), ~np.isnan(f1)
    f1 = np.where(occurs, f1, 0.0)
    right = np.trace(confusion, axis1=-2, axis2=-1)
    parts = [
        _ratio((f1 * support).sum(axis=-1), total),
        _ratio(right, total),
        _ratio(f1.sum(axis=-1), occurs.sum(axis=-1)),
    ]
    return np.stack(parts, axis=-1)


def macro_recall(confusion: NDArray[Any]) -> NDArray[np.float64]:
    r"""Mean over the emotions of the share that is recognised, ``(...,)``; NaN where nothing counts.

    .. math:: \mathrm{UA} = \frac{1}{C'} \sum_{c} \frac{\mathrm{TP}_c}{\mathrm{TP}_c + \mathrm{FN}_c}

    over the :math:`C'` emotions that occur among the labels. Speech papers call it unweighted accuracy or unweighted
    average recall, and the plain accuracy, in which an emotion counts as often as it occurs, weighted accuracy.
    """
    recall = _ratio(np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64), confusion.sum(axis=-1))
    occurs = ~np.isnan(recall)
    return _ratio(np.where(occurs, recall, 0.0).sum(axis=-1), occurs.sum(axis=-1))


def headline_and_f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """What :func:`headline` returns, then what :func:`class_f1` does, ``(..., 3 + C)``."""
    return np.concatenate([headline(confusion), class_f1(confusion)], axis=-1)


def _ratio(above: Any, below: Any) -> NDArray[np.float64]:
    below = np.asarray(below, dtype=np.float64)
    ratio: NDArray[np.float64] = np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
    return ratio
