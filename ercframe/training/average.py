"""Weights averaged over training, which are scored and kept while training goes on with its own."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ercframe.model import Learner
from ercframe.nn import Frozen
from ercframe.settings import AverageSettings


class Average:
    r"""A second learner with averaged parameters.

    With :math:`n` weights averaged before, the next ones :math:`\theta` move the average by

    .. math:: \bar\theta \leftarrow \bar\theta + s\,(\theta - \bar\theta), \qquad
              s_{\text{swa}} = \frac{1}{n + 1}, \qquad s_{\text{ema}} = \max\left(\frac{1}{n + 1}, 1 - d\right)

    so that an ``ema`` with decay :math:`d` starts as a plain mean and no beginning sticks to it. ``ema`` takes the
    weights after each step, ``swa`` (Izmailov et al. 2018) those at the end of each epoch. Buffers, such as running
    statistics of a normalisation, are copied, not averaged.

    Args:
        settings: of the recipe.
        learner: what is trained; on its device.

    Attributes:
        learner: with the averaged parameters.
        count: how many weights were averaged, n.
    """

    def __init__(self, settings: AverageSettings, learner: Learner) -> None:
        self.settings, self.count = settings, 0
        shared = {id(part.module): part.module for part in learner.modules() if isinstance(part, Frozen)}
        self.learner = copy.deepcopy(learner, shared).requires_grad_(False)
        for module in self.learner.modules():
            if isinstance(module, nn.RNNBase):
                module.flatten_parameters()  # a copy's lie apart; cuDNN would gather them, and warn, in each call
        parameters = {name for name, _ in learner.named_parameters()}
        self._buffers = [name for name in learner.state_dict() if name not in parameters]

    def step_done(self, learner: Learner, epoch: int, last: bool, moved: bool) -> None:
        """Take the weights after a step, if it is time to.

        Args:
            learner: what is trained.
            epoch: number of the epoch at hand, from 1.
            last: whether this was the epoch's last step.
            moved: whether the step changed the weights.
        """
        due = moved if self.settings.name == "ema" else last
        if due and epoch >= self.settings.start_epoch:
            self._take(learner)

    @torch.no_grad()
    def _take(self, learner: Learner) -> None:
        share = 1 / (self.count + 1)
        if self.settings.name == "ema":
            share = max(share, 1 - self.settings.decay)
        torch._foreach_lerp_(list(self.learner.parameters()), list(learner.parameters()), share)
        for name in self._buffers:
            self.learner.get_buffer(name).copy_(learner.get_buffer(name))
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and of how many they are."""
        return {"count": self.count, "weights": self.learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.count = state["count"]
        self.learner.load_state_dict(state["weights"])
