"""The training batches of an epoch, on the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import torch

from ercframe.build import Experiment
from ercframe.data.dialogue import collate
from ercframe.tensors import Batch


def training_batches(experiment: Experiment, generator: torch.Generator) -> Iterator[Batch]:
    """The training dialogues in a new order, in batches, changed by the recipe's transforms."""
    train, size = experiment.splits.train, experiment.loaded.recipe.trainer.batch_dialogues
    order = torch.randperm(len(train), generator=generator).tolist()
    for start in range(0, len(order), size):
        batch = collate([train[i] for i in order[start : start + size]])
        for transform in experiment.transforms:
            batch = transform.forward(batch, generator)
        yield batch


def grouped(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """``size`` batches at a time; at last as many as are left."""
    left = iter(batches)
    while group := list(islice(left, size)):
        yield group
