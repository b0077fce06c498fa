"""The training batches of an epoch, on the host."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import torch

from ercframe.build import Experiment
from ercframe.data.dialogue import collate
from ercframe.tensors import Batch


def training_batches(experiment: Experiment, generator: torch.Generator) -> Iterator[Batch]:
    """The training dialogues in a new order, in batches, changed by the recipe's transforms."""
    for chosen in orders(experiment, generator):
        yield make_batch(experiment, chosen, generator)


def orders(experiment: Experiment, generator: torch.Generator) -> Iterator[list[int]]:
    """The indices of the training dialogues in a new order, batch by batch."""
    size = experiment.loaded.recipe.trainer.batch_dialogues
    order = torch.randperm(len(experiment.splits.train), generator=generator).tolist()
    for start in range(0, len(order), size):
        yield order[start : start + size]


def make_batch(experiment: Experiment, chosen: Sequence[int], generator: torch.Generator) -> Batch:
    """A batch of these training dialogues, changed by the recipe's transforms."""
    batch = collate([experiment.splits.train[i] for i in chosen])
    for transform in experiment.transforms:
        batch = transform.forward(batch, generator)
    return batch


def batches_in_epoch(experiment: Experiment) -> int:
    """How many batches :func:`training_batches` gives."""
    return math.ceil(len(experiment.splits.train) / experiment.loaded.recipe.trainer.batch_dialogues)


def steps_in_epoch(experiment: Experiment) -> int:
    """How many groups of ``trainer.accumulate`` batches that makes."""
    return math.ceil(batches_in_epoch(experiment) / experiment.loaded.recipe.trainer.accumulate)


def grouped(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """``size`` batches at a time; at last as many as are left."""
    left = iter(batches)
    while group := list(islice(left, size)):
        yield group


def on_device(batch: Batch, device: torch.device) -> Batch:
    """A batch on the device. A GPU gets it from page-locked memory, lest the host wait until it has taken it.

    The host then makes the next batches while the device is still at work on this one.
    """
    return (batch.pin_memory() if device.type == "cuda" else batch).to(device, non_blocking=True)
