"""A loss that is no longer finite: in which batch, with which dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from ercframe.build import Experiment
from ercframe.errors import RunError
from ercframe.training.batches import training_batches
from ercframe.training.state import TrainingState


class DivergedError(RunError):
    """A loss term, or with :class:`~ercframe.training.anomaly.AnomalyStep` a gradient, was NaN or infinite.

    Attributes:
        epoch: number of the epoch, from 1.
        batch: number of its batch, from 1.
        terms: names of the loss terms; empty where only gradients were not finite.
        dialogues: ids of the batch's dialogues.
        operation: where it began; empty where nobody looked.
    """

    def __init__(
        self, epoch: int, batch: int, terms: Sequence[str], dialogues: Sequence[str], operation: str = ""
    ) -> None:
        self.epoch, self.batch, self.terms = epoch, batch, tuple(terms)
        self.dialogues, self.operation = tuple(dialogues), operation
        what = f"the loss must be finite (got NaN or Inf in {', '.join(terms)})"
        lines = [
            f"epoch {epoch}, batch {batch}: {what if terms else 'gradients must be finite (got NaN or Inf)'}",
            f"Its dialogues: {', '.join(dialogues)}",
            *([f"It began in the {operation}"] if operation else []),
            "A lower trainer.optimizer.lr or a trainer.clip_norm often helps.",
        ]
        super().__init__("\n".join(lines))

    def record(self) -> dict[str, Any]:
        """All of it as JSON."""
        names = ("epoch", "batch", "terms", "dialogues", "operation")
        return {name: getattr(self, name) for name in names}


def diverged(
    state: TrainingState, experiment: Experiment, batch: int, terms: Sequence[str], operation: str = ""
) -> DivergedError:
    """The error, with the dialogues of the batch of that index, which is drawn once more."""
    state.begin_epoch()
    drawn = next(islice(training_batches(experiment, state.generator), batch, None))
    return DivergedError(len(state.epochs) + 1, batch + 1, terms, drawn.dialogues, operation)
