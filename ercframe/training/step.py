"""One optimisation step. It never waits for the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

    def __call__(self, batches: Sequence[Batch]) -> list[Mapping[str, Term]]:
        """Take one step on some batches, which are on the learner's device, as if they were one large batch.

        Without a scored utterance in any of them the parameters stay: there is no gradient, but momentum and weight
        decay would move them all the same.

        Returns:
            The loss terms of each batch before the update.
        """
        self.optimizer.zero_grad(set_to_none=True)
        counts = self.counts(batches)
        terms = [self.forward_backward(batch, counts) for batch in batches]
        if self.has_scored(batches):
            self.update()
        return terms

    def counts(self, batches: Sequence[Batch]) -> Mapping[str, Tensor] | None:
        """What the terms of all the batches are divided by; None where each term of the only one has its own count."""
        if len(batches) == 1:
            return None
        found = [self.learner.objective.counts(batch) for batch in batches]
        return {name: torch.stack([counts[name] for counts in found]).sum() for name in found[0]}

    def has_scored(self, batches: Sequence[Batch]) -> bool:
        """Whether any utterance has a label, which the host knows since collation."""
        return any(len(batch.scored) for batch in batches)

    def forward_backward(self, batch: Batch, counts: Mapping[str, Tensor] | None = None) -> Mapping[str, Term]:
        """Add the gradient of the objective to the parameters' gradients."""
        terms, total = self.forward(batch, counts)
        self.backward(total)
        return terms

    def forward(self, batch: Batch, counts: Mapping[str, Tensor] | None = None) -> tuple[Mapping[str, Term], Tensor]:
        """The loss terms and the objective; ``counts`` as in :meth:`~ercframe.objective.Objective.total`."""
        with self.precision.autocast():
            terms: Mapping[str, Term] = self.learner(batch)[1]
            return terms, self.learner.objective.total(terms, counts)

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
