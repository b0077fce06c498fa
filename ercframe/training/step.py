"""One optimisation step. It never waits for the device."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ercframe.model import Learner
from ercframe.tensors import Batch, Term
from ercframe.training.precision import Precision


class Step:
    """Forward, loss, backward, clip, update.

    Args:
        learner: what is trained.
        optimizer: over its parameters.
        precision: of the forward pass, and so of the backward pass.
        scaler: scales the loss where ``precision`` needs it.
        clip_norm: gradients are scaled down to this total norm; None: never.
    """

    def __init__(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        precision: Precision,
        scaler: torch.amp.GradScaler,
        clip_norm: float | None = None,
    ) -> None:
        self.learner, self.optimizer, self.clip_norm = learner, optimizer, clip_norm
        self.precision, self.scaler = precision, scaler

    def __call__(self, batch: Batch) -> Mapping[str, Term]:
        """Take one step on a batch, which is on the learner's device; returns the loss terms before the update."""
        self.optimizer.zero_grad(set_to_none=True)
        terms = self.forward_backward(batch)
        self.update()
        return terms

    def forward_backward(self, batch: Batch) -> Mapping[str, Term]:
        """Add the gradient of the objective to the parameters' gradients."""
        terms, total = self.forward(batch)
        self.backward(total)
        return terms

    def forward(self, batch: Batch) -> tuple[Mapping[str, Term], Tensor]:
        """The loss terms and the objective."""
        with self.precision.autocast():
            terms: Mapping[str, Term] = self.learner(batch)[1]
            return terms, self.learner.objective.total(terms)

    def backward(self, total: Tensor) -> None:
        """Add the gradient of the objective to the parameters' gradients."""
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]

    def update(self) -> None:
        """Change the parameters by their gradients."""
        if self.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.learner.parameters(), self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
