"""Steps of several ranks, each on its share of a batch, that are one step of one process on the whole batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from inspect import signature
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ercframe.components import Part
from ercframe.errors import InputError, Problem
from ercframe.model import Learner
from ercframe.probe import undisturbed
from ercframe.ranks import Ranks
from ercframe.tensors import Batch, Decision, FusionOutput, ModelOutput, Streams, Term
from ercframe.training.precision import Precision
from ercframe.training.share import Share
from ercframe.training.step import Step

# Shape letters: N utterances of a rank, T utterances of the whole batch.


class ParallelStep(Step):
    r"""A step on a share of a batch, by ``DistributedDataParallel``.

    Its gradient is that of the whole batch. With :math:`s_r` and :math:`c_r` the sum and the count of a term on rank
    :math:`r` of :math:`R`, one process would follow :math:`\nabla \sum_r s_r / \sum_r c_r`. Counts are added up over
    the ranks first; each rank then goes backward from :math:`R\, s_r / \sum_r c_r`, since the gradients of the ranks
    are averaged. Sums and counts are added up on the device, for which the host does not wait.
    """

    def __init__(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        precision: Precision,
        scaler: torch.amp.GradScaler,
        clip_norm: float | None,
        ranks: Ranks,
    ) -> None:
        super().__init__(learner, optimizer, precision, scaler, clip_norm)
        self.ranks, self._left = ranks, 0
        device = next(learner.parameters()).device
        # Buffers stay each rank's own: they may differ in shape, such as a table of positions that grows.
        known = signature(DistributedDataParallel).parameters
        name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # before 2.13
        own_buffers: dict[str, Any] = {name: False}
        # A parameter that no rank reached has no gradient, as in one process, lest momentum or weight decay move it. To
        # know that, a graph is walked and a note exchanged in each step; so only where a part says that it may be idle.
        may_be_idle = any(part.may_be_idle for part in learner.modules() if isinstance(part, Part))
        self.shared = DistributedDataParallel(
            Divided(learner, ranks),
            process_group=ranks.group(device),
            gradient_as_bucket_view=True,
            find_unused_parameters=may_be_idle,
            **own_buffers,
        )

    def settle(self, share: Share) -> None:
        """Go forward and backward once, on any share, and leave no trace but one.

        After the first backward pass ``DistributedDataParallel`` arranges the gradients by the order in which they
        came, and with three ranks or more the last digit of a sum depends on where in a message it stands. A run that
        goes on must have that behind it where one that was not stopped had.
        """
        with undisturbed(self.learner):
            self._left = 1
            self.forward_backward(share)

    def __call__(self, batches: Sequence[Batch]) -> list[Mapping[str, Term]]:
        """As in :class:`Step`, on this rank's shares; the terms are those of the whole batches."""
        self._left = len(batches)
        return super().__call__(batches)

    def has_scored(self, batches: Sequence[Batch]) -> bool:
        """Whether any rank has something scored."""
        return any(isinstance(batch, Share) and batch.any_scored for batch in batches)

    def counts(self, batches: Sequence[Batch]) -> Mapping[str, Tensor] | None:
        """As in :class:`Step`, over all ranks."""
        if len(batches) == 1:
            return None
        own = torch.zeros((), device=batches[0].labels.device)
        for batch in batches:
            found = self.learner.objective.counts(batch)
            counted = 0.0 if isinstance(batch, Share) and batch.stands_in else 1.0
            own = own + counted * torch.stack(list(found.values()))
        return dict(zip(found, self.ranks.sum(own).unbind(), strict=True))

    def forward_backward(self, batch: Batch, counts: Mapping[str, Tensor] | None = None) -> Mapping[str, Term]:
        """Add the gradient of the objective to the parameters' gradients; after the last batch, over all ranks."""
        self._left -= 1
        with self.shared.no_sync() if self._left else nullcontext():
            return super().forward_backward(batch, counts)

    def forward(self, batch: Batch, counts: Mapping[str, Tensor] | None = None) -> tuple[Mapping[str, Term], Tensor]:
        """The loss terms of the whole batch, without gradient, and this rank's part of the objective, times ranks."""
        with self.precision.autocast():
            own: Mapping[str, Term] = self.shared(batch)
            whole = self._added_up(own)
            scaled = {name: Term(term.total * self.ranks.size, whole[name].count) for name, term in own.items()}
            return whole, self.learner.objective.total(scaled, counts)

    def _added_up(self, terms: Mapping[str, Term]) -> dict[str, Term]:
        pairs = torch.stack([x for term in terms.values() for x in (term.total, term.count.to(term.total))])
        added = self.ranks.sum(pairs).view(-1, 2).unbind()
        return {name: Term(*pair.unbind()) for name, pair in zip(terms, added, strict=True)}


class Divided(nn.Module):
    """A learner that sees a share of each batch; its loss terms add up over the ranks to those of the whole batch."""

    def __init__(self, learner: Learner, ranks: Ranks) -> None:
        super().__init__()
        self.learner, self.ranks = learner, ranks

    def forward(self, share: Share) -> dict[str, Term]:
        """The terms of this rank's share. A loss that couples rows sees all of them, on every rank."""
        objective = self.learner.objective
        output = self.learner.model(share.features, share.context)
        whole = (gathered(output, share.rows, self.ranks), share.whole) if share.whole else None
        terms: dict[str, Term] = {}
        for slot, loss in objective.losses.items():
            if loss.couples_rows and whole:
                found, part = objective.terms(slot, *whole), 1 / self.ranks.size
            else:
                found, part = objective.terms(slot, output, share), 0.0 if share.stands_in else 1.0
            terms |= {name: Term(term.total * part, term.count * part) for name, term in found.items()}
        return terms


def gathered(output: ModelOutput, rows: Sequence[int], ranks: Ranks) -> ModelOutput:
    """What the model computed on all ranks, with gradient: every tensor with a row for each utterance.

    Extras that have none stay this rank's own.

    Args:
        output: of this rank, ``(N, *)`` each.
        rows: utterances of each rank; 0 leaves out what one computed.
        ranks: all must ask.
    """

    def all_rows(tensors: Mapping[Any, Tensor]) -> dict[Any, Tensor]:
        return {name: one(x) for name, x in tensors.items()}

    def one(x_N: Tensor) -> Tensor:
        found: Tensor = _GatheredRows.apply(x_N, tuple(rows), ranks)  # type: ignore[no-untyped-call]
        return found

    fused, decision = output.fused, output.decision
    by_row = with_rows(fused.extras, len(decision.logits), ranks)
    extras = {name: one(x) if name in by_row else x for name, x in fused.extras.items()}
    return ModelOutput(
        Streams(all_rows(output.streams)),
        FusionOutput(one(fused.joint), all_rows(fused.by_modality), all_rows(fused.weights), extras),
        Decision(one(decision.logits), all_rows(decision.weights)),
    )


def with_rows(extras: Mapping[str, Tensor], own: int, ranks: Ranks) -> list[str]:
    """Which of a fusion's extras have a row for each of a rank's own utterances, on every rank.

    One of another kind may happen to be as long on some of them; if these alone sent it, they would wait for ever.
    """
    if not extras:
        return []
    fits = ranks.gather([x.ndim > 0 and len(x) == own for x in extras.values()])
    return [name for name, here in zip(extras, zip(*fits, strict=True), strict=True) if all(here)]


class _GatheredRows(torch.autograd.Function):
    """The rows of all ranks, ``(T, *)``; the gradients that they get on all ranks are added up."""

    @staticmethod
    def forward(ctx: Any, x_N: Tensor, rows: tuple[int, ...], ranks: Ranks) -> Tensor:
        ctx.rows, ctx.ranks, ctx.own = rows, ranks, len(x_N)
        padded = x_N.new_zeros((max(rows), *x_N.shape[1:]))
        kept = rows[ranks.rank]
        padded[:kept] = x_N[:kept]
        found = [torch.empty_like(padded) for _ in rows]
        dist.all_gather(found, padded, group=ranks.group(x_N.device))
        return torch.cat([x[:n] for x, n in zip(found, rows, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        summed_T = ctx.ranks.sum(gradients[0].contiguous())
        start, kept = sum(ctx.rows[: ctx.ranks.rank]), ctx.rows[ctx.ranks.rank]
        gradient_N = summed_T.new_zeros((ctx.own, *summed_T.shape[1:]))
        gradient_N[:kept] = summed_T[start : start + kept]
        return gradient_N, None, None


def require_divisible(learner: Learner) -> None:
    """Refuse what cannot be trained on shares of a batch.

    Raises:
        InputError: a part normalises over the utterances of a batch, of which a rank sees its own only.
    """
    problems = [
        Problem(name, type(module).__name__, "must not normalise over a batch, of which each rank sees a share only")
        for name, module in learner.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    if problems:
        raise InputError(
            "the model cannot be divided over several processes",
            problems,
            "Normalise each row, as LayerNorm does, or train in one process.",
        )
