"""Yardsticks: other implementations of a recipe, to measure against."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ercframe.components.base import Component
from ercframe.data.dialogue import Dialogue


class Yardstick(Component, nn.Module):
    """Another implementation of a recipe, which ``ercframe bench --against`` measures beside the recipe's own.

    Built from ``(config, dataset, recipe)``. Its parameters have the names of the learner's, so that it takes the
    learner's ``state_dict()`` and its gradients can be compared one by one. It makes its own batches.

    Raise ValueError in the constructor where the recipe is not what it implements.
    """

    kind = "yardstick"

    def __init__(self) -> None:
        nn.Module.__init__(self)

    @abstractmethod
    def collate(self, dialogues: Sequence[Dialogue]) -> Mapping[str, Tensor]:
        """Make a batch, on the host."""

    @abstractmethod
    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The recipe's objective for a batch, a scalar in nats."""

    @abstractmethod
    def make_optimizer(self, lr: float, weight_decay: float) -> torch.optim.Optimizer:
        """What it is trained with."""
