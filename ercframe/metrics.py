"""Scores of predictions against labels, all from torchmetrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ercframe.statistics.confusion import HEADLINE

# Shape letters: S scored utterances, C emotions.


@dataclass(frozen=True)
class Scores:
    """Scores as shares of 1.

    Attributes:
        weighted_f1: mean of the per-class F1 weighted by support; the field's headline.
        accuracy: share of utterances that are right.
        macro_f1: plain mean of the F1 of every class that occurs in labels or predictions.
        f1: F1 of each class, in the order of the labels.
        confusion: counts, rows are labels, columns predictions.
    """

    weighted_f1: float
    accuracy: float
    macro_f1: float
    f1: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, predicted_S: Tensor, label_S: Tensor, classes: int) -> Scores:
        """Score predicted classes ``(S,)`` against labels ``(S,)``.

        Raises:
            ValueError: there is nothing to score.
        """
        # Imported here: torchmetrics loads SciPy and, where it is installed, transformers. That takes as long as
        # PyTorch itself, and nobody who only checks a recipe needs it.
        from torchmetrics.functional.classification import (
            multiclass_accuracy,
            multiclass_confusion_matrix,
            multiclass_f1_score,
        )

        if not len(label_S):
            raise ValueError("there must be at least one labelled utterance to score")
        arguments = (predicted_S, label_S, classes)
        return cls(
            weighted_f1=float(multiclass_f1_score(*arguments, average="weighted")),
            accuracy=float(multiclass_accuracy(*arguments, average="micro")),
            macro_f1=float(multiclass_f1_score(*arguments, average="macro")),
            f1=tuple(multiclass_f1_score(*arguments, average="none").tolist()),
            confusion=tuple(tuple(row) for row in multiclass_confusion_matrix(*arguments).tolist()),
        )

    def headline(self) -> dict[str, Any]:
        """The three single numbers, by name."""
        return {name: getattr(self, name) for name in HEADLINE}
