"""One optimisation step. It never waits for the device."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ercframe.model import Learner
from ercframe.tensors import Batch, Term


class Step:
    """Forward, loss, backward, clip, update.

    Args:
        learner: what is trained.
        optimizer: over its parameters.
        clip_norm: gradients are scaled down to this total norm; None: never.
    """

    def __init__(self, learner: Learner, optimizer: torch.optim.Optimizer, clip_norm: float | None = None) -> None:
        self.learner, self.optimizer, self.clip_norm = learner, optimizer, clip_norm

    def __call__(self, batch: Batch) -> Mapping[str, Term]:
        """Take one step on a batch, which is on the learner's device; returns the loss terms before the update."""
        self.optimizer.zero_grad(set_to_none=True)
        terms = self.forward_backward(batch)
        self.update()
        return terms

    def forward_backward(self, batch: Batch) -> Mapping[str, Term]:
        """Add the gradient of the objective to the parameters' gradients."""
        terms: Mapping[str, Term] = self.learner(batch)[1]
        self.learner.objective.total(terms).backward()  # type: ignore[no-untyped-call]
        return terms

    def update(self) -> None:
        """Change the parameters by their gradients."""
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.learner.parameters(), self.clip_norm)
        self.optimizer.step()
