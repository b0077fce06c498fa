"""Optimizers by the names that a recipe uses."""

from __future__ import annotations

import torch

from ercframe.model import Learner
from ercframe.settings import OptimizerSettings
from ercframe.training.parameter_groups import parameter_groups


def make_optimizer(settings: OptimizerSettings, learner: Learner) -> torch.optim.Optimizer:
    """The recipe's optimizer over model and losses, in PyTorch's fused form (one kernel for all parameters).

    Raises:
        ValueError: a group names no parameters, or those of another one.
    """
    groups = parameter_groups(settings, learner)
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, weight_decay=settings.weight_decay, momentum=0.9, fused=True)
    make = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return make(groups, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)


def learning_rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The learning rate of each group of parameters by its name."""
    return {group["name"]: group["lr"] for group in optimizer.param_groups}
