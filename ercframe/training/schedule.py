"""How learning rates change while training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch

from ercframe.build import Experiment
from ercframe.settings import ScheduleSettings
from ercframe.training.batches import steps_in_epoch
from ercframe.training.epoch import Epoch

ONE_CYCLE_RISE = 0.3
"""Share of the steps in which ``one_cycle`` rises unless the recipe says otherwise, as in PyTorch."""
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 25e4


class Schedule:
    r"""A factor of every learning rate, which depends on nothing but the step and the scores so far.

    So there is nothing of it to save. With :math:`T` steps in all, :math:`w` of them warm-up, step :math:`t` from 0 has
    the factor :math:`(t + 1) / w` in the warm-up, and then, with :math:`p = (t - w) / (T - w)`,

    .. math::

        \text{linear: } 1 - (1 - f)\, p, \qquad \text{cosine: } f + (1 - f) (1 + \cos \pi p) / 2, \qquad
        \text{plateau: } g^k

    where :math:`f` is ``final``, :math:`g` is ``factor``, and :math:`k` counts how often more than ``patience`` epochs
    passed without a better dev score: PyTorch's ``LinearLR``, ``CosineAnnealingLR`` and ``ReduceLROnPlateau``.
    ``one_cycle`` is its ``OneCycleLR`` without the change of momentum: a cosine from 1/25 up to 1 at the end of the
    warm-up, and one down to 1/250,000 at the last step. The warm-up is a whole number of steps, where PyTorch's may end
    between two, so that none has the full rate.

    References:
        Smith and Topin (2017), *Super-convergence*; Loshchilov and Hutter (2016), *SGDR*, for the cosine.

    Args:
        settings: of the recipe.
        steps: of the whole training, T.
        monitor: the score that ``plateau`` looks at.
    """

    def __init__(self, settings: ScheduleSettings, steps: int, monitor: str) -> None:
        self.settings, self.steps, self.monitor = settings, steps, monitor
        default = ONE_CYCLE_RISE if settings.name == "one_cycle" else 0.0
        share = default if settings.warmup_share is None else settings.warmup_share
        self.warmup = round(share * steps) if settings.warmup_steps is None else settings.warmup_steps

    @classmethod
    def of(cls, experiment: Experiment) -> Schedule:
        """The schedule of a recipe on its data."""
        recipe = experiment.loaded.recipe
        steps = recipe.trainer.epochs * steps_in_epoch(experiment)
        return cls(recipe.trainer.schedule, steps, recipe.protocol.monitor)

    def set_rates(self, optimizer: torch.optim.Optimizer, step: int, epochs: Sequence[Epoch]) -> None:
        """Set the learning rate of each group for a step."""
        factor = self.factor(step, epochs)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def factor(self, step: int, epochs: Sequence[Epoch] = ()) -> float:
        """What learning rates are multiplied by.

        Args:
            step: how many came before, in all epochs.
            epochs: those that are finished.
        """
        if self.settings.name == "one_cycle":
            return self._one_cycle(step)
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.settings.name == "plateau":
            return self.settings.factor ** self._plateaus(epochs)
        progress, final = (step - self.warmup) / (self.steps - self.warmup), self.settings.final
        if self.settings.name == "linear":
            return _between(1.0, final, progress)
        return _cosine(1.0, final, progress) if self.settings.name == "cosine" else 1.0

    def _one_cycle(self, step: int) -> float:
        top, last = max(self.warmup - 1, 0), self.steps - 1
        if step < top:
            return _cosine(ONE_CYCLE_START, 1.0, step / top)
        return _cosine(1.0, ONE_CYCLE_END, (step - top) / (last - top) if last > top else 0.0)

    def _plateaus(self, epochs: Iterable[Epoch]) -> int:
        best, without, found = float("-inf"), 0, 0
        for epoch in epochs:
            score: float = getattr(epoch.dev, self.monitor)
            best, without = (score, 0) if score > best else (best, without + 1)
            if without > self.settings.patience:
                found, without = found + 1, 0
        return found


def _between(start: float, end: float, progress: float) -> float:
    return start + (end - start) * progress


def _cosine(start: float, end: float, progress: float) -> float:
    return _between(start, end, (1 - math.cos(math.pi * progress)) / 2)
