"""Asking the models of a run's seeds, whatever they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ercframe.build import Experiment
from ercframe.conditions import Condition, Shown
from ercframe.data.dialogue import Dialogue
from ercframe.evaluate import batches, scored_logits
from ercframe.excerpts import Visible, batches_of_excerpts
from ercframe.loading import TrainedRun
from ercframe.model import Learner
from ercframe.tensors import Batch
from ercframe.training.device import deterministic

# Shape letters: S seeds, N scored utterances, C emotions.

DRAWS = 0
"""Seed of all that is drawn, such as noise: the same for every run, so that runs can be compared."""
AT_ONCE = 1024
"""Turns in a batch of excerpts."""

View = Condition | Visible
"""What a model is shown: dialogues under a condition, or the part of a dialogue around each utterance."""


@dataclass(frozen=True)
class Answers:
    """What the models of all seeds say about the scored utterances of a split, in order.

    Attributes:
        epochs: number of the epoch whose weights answer, for each seed.
        predicted: under each view, ``(S, N)``.
        turns: how many turns each view has the model read, an utterance's own included, per scored utterance.
        probability: of the first view, ``(N, C)`` for each seed.
        dev_probability: the same on dev; none where it was not asked for.
    """

    epochs: tuple[int, ...]
    predicted: Mapping[View, NDArray[np.intp]]
    turns: Mapping[View, float]
    probability: Sequence[NDArray[np.float64]]
    dev_probability: Sequence[NDArray[np.float64]]


@dataclass(frozen=True)
class Questions:
    """Views of a split, the first of which is the unchanged one.

    Attributes:
        trained: the run.
        experiment: its recipe with its data.
        dialogues: those of the split.
        dev: dialogues whose probabilities are asked for, too; may be none.
        device: where to compute.
    """

    trained: TrainedRun
    experiment: Experiment
    dialogues: Sequence[Dialogue]
    dev: Sequence[Dialogue]
    device: torch.device

    def ask(self, seeds: Sequence[int], views: Sequence[View], on_step: Callable[[str], None]) -> Answers:
        """Have every seed's model answer under every view."""
        precision = self.trained.precision(self.device)
        epochs, predicted, turns = list[int](), {view: list[NDArray[np.intp]]() for view in views}, dict[View, float]()
        probability, dev_probability = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
        for seed in seeds:
            learner, epoch = self.trained.learner(seed, self.experiment.info, self.device)
            epochs.append(epoch)
            with (
                deterministic(self.experiment.loaded.recipe.trainer.deterministic),
                precision.suited_to(learner.model).matmuls(),
                precision.autocast(),
            ):
                if self.dev:
                    dev_probability.append(_probability(self._logits(learner, self._batches(self.dev, Condition()))))
                for done, view in enumerate(views):
                    on_step(f"seed {seed}: {done + 1} of {len(views)}")
                    read = list[int]()
                    logits_NC = self._logits(learner, _counted(self._batches(self.dialogues, view), read))
                    predicted[view].append(logits_NC.argmax(dim=-1).cpu().numpy())
                    turns[view] = sum(read) / len(logits_NC)
                    if not done:
                        probability.append(_probability(logits_NC))
        stacked = {view: np.stack(found) for view, found in predicted.items()}
        return Answers(tuple(epochs), stacked, turns, probability, dev_probability)

    def _logits(self, learner: Learner, host_batches: Iterable[Batch]) -> Tensor:
        return scored_logits(learner, host_batches, self.device)[0]

    def _batches(self, dialogues: Sequence[Dialogue], view: View) -> Iterator[Batch]:
        if isinstance(view, Condition):
            return batches(Shown(dialogues, view, DRAWS), self.experiment.loaded.recipe.trainer.batch_dialogues)
        return batches_of_excerpts(dialogues, view, self.experiment.info.speakers, AT_ONCE, DRAWS)


def _counted(host_batches: Iterable[Batch], turns: list[int]) -> Iterator[Batch]:
    """The batches; the number of turns in each is appended to ``turns``."""
    for batch in host_batches:
        turns.append(batch.context.layout.utterances)
        yield batch


def _probability(logits_NC: Tensor) -> NDArray[np.float64]:
    probability: NDArray[np.float64] = logits_NC.double().softmax(dim=-1).cpu().numpy()
    return probability
