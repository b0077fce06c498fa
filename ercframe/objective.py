"""The training objective: every loss of a recipe, divided by its count and weighed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ercframe.components import Loss
from ercframe.tensors import Batch, ModelOutput, Term

Weight = float | Mapping[str, float]


class Objective(nn.Module):
    """Sum the losses of a recipe.

    Args:
        losses: losses by the recipe's slot name.
        weights: for each slot a number, or one per term prefix; a prefix left out weighs 1.

    Raises:
        ValueError: a weight names no term of its loss.
    """

    def __init__(self, losses: Mapping[str, Loss], weights: Mapping[str, Weight]) -> None:
        super().__init__()
        self.losses = nn.ModuleDict(losses)
        self.weights = dict(weights)
        for slot, weight in self.weights.items():
            unknown = set(weight) - set(losses[slot].terms) if isinstance(weight, Mapping) else set()
            if unknown:
                raise ValueError(f"weight names {sorted(unknown)}; terms of '{slot}': {list(losses[slot].terms)}")

    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        """Every term of every loss, named ``slot.term``, as sums and counts over this batch."""
        found: dict[str, Term] = {}
        for slot in self.losses:
            found |= self.terms(slot, output, batch)
        return found

    def terms(self, slot: str, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        """Those of one loss, named ``slot.term``."""
        return {f"{slot}.{name}": term for name, term in self.losses[slot](output, batch).items()}

    @property
    def couples_rows(self) -> bool:
        """Whether a loss compares utterances with each other, so that no part of a batch has its terms."""
        return any(isinstance(loss, Loss) and loss.couples_rows for loss in self.losses.values())

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        """What the terms of a batch will be divided by, from the batch alone; named ``slot.prefix``."""
        found: dict[str, Tensor] = {}
        for slot, loss in self.losses.items():
            assert isinstance(loss, Loss)
            found |= {f"{slot}.{prefix}": count for prefix, count in loss.counts(batch).items()}
        return found

    def total(self, terms: Mapping[str, Term], counts: Mapping[str, Tensor] | None = None) -> Tensor:
        """Divide each term by its count, weigh and add up; a scalar in nats.

        A term with nothing to count is 0 and stays attached to the graph.

        Args:
            terms: of one batch.
            counts: what to divide by instead where the batch is a share of something larger: :meth:`counts`, added
                up over all of it. The totals of the shares then add up to that of the whole, and so do gradients.
        """
        if counts is not None:
            terms = {name: Term(term.total, counts[self.declared(name)]) for name, term in terms.items()}
        return torch.stack([self.weight(name) * mean(term) for name, term in terms.items()]).sum()

    def declared(self, name: str) -> str:
        """``slot.prefix`` of the term ``slot.term``, by the longest of its loss's declared names."""
        slot, _, term = name.partition(".")
        loss = self.losses[slot]
        assert isinstance(loss, Loss)
        return f"{slot}.{prefix_of(term, loss.terms) or ''}"

    def weight(self, name: str) -> float:
        """The weight of the term ``slot.term``."""
        slot, _, prefix = self.declared(name).partition(".")
        weight = self.weights[slot]
        return weight.get(prefix, 1.0) if isinstance(weight, Mapping) else weight

    def predictions(self, output: ModelOutput) -> dict[str, Tensor]:
        """Logits ``(N, C)`` of the losses' auxiliary heads, named ``slot.head``."""
        found: dict[str, Tensor] = {}
        for slot, loss in self.losses.items():
            assert isinstance(loss, Loss)
            found |= {f"{slot}.{head}": logits for head, logits in loss.predictions(output).items()}
        return found


def prefix_of(term: str, prefixes: Iterable[str]) -> str | None:
    """The longest prefix that a term's name has: the name itself, or what stands before an underscore."""
    return max((p for p in prefixes if term == p or term.startswith(f"{p}_")), key=len, default=None)


def mean(term: Term) -> Tensor:
    """``total / count``, and 0 (still attached) where the count is 0."""
    return term.total / torch.where(term.count == 0, torch.ones_like(term.count), term.count)
