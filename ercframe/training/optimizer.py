"""Optimizers by the names that a recipe uses."""

from __future__ import annotations

from typing import Any

import torch

from ercframe.model import Learner
from ercframe.settings import OptimizerSettings


def make_optimizer(settings: OptimizerSettings, learner: Learner) -> torch.optim.Optimizer:
    """The recipe's optimizer over model and losses, in PyTorch's fused form (one kernel for all parameters)."""
    knobs: dict[str, Any] = {"lr": settings.lr, "weight_decay": settings.weight_decay, "fused": True}
    if settings.name == "sgd":
        return torch.optim.SGD(learner.parameters(), momentum=0.9, **knobs)
    make = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return make(learner.parameters(), **knobs)
