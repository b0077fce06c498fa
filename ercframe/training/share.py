"""The training batches divided over the ranks by whole dialogues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor

from ercframe.build import Experiment
from ercframe.data.dialogue import collate
from ercframe.data.dialogues import labels_of
from ercframe.layout import Layout
from ercframe.ranks import Ranks
from ercframe.tensors import Batch, Context
from ercframe.training.batches import make_batch, orders

# Shape letters: N utterances of a rank.


@dataclass(frozen=True)
class Share(Batch):
    """A rank's dialogues of a batch.

    Where a batch has fewer dialogues than there are ranks, some have none. Such a rank still has to go through every
    layer, since gradients are added up over all ranks: it stands in with the first dialogue, its labels hidden, and
    nothing that it computes counts.

    Attributes:
        stands_in: whether it is such a dialogue.
        any_scored: whether the whole batch has a scored utterance.
        rows: utterances of each rank, 0 where one stands in; empty where ``whole`` is None.
        whole: the batch that is divided, where a loss compares its utterances with each other.
    """

    stands_in: bool = False
    any_scored: bool = True
    rows: tuple[int, ...] = ()
    whole: Batch | None = None

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same share with each of its tensors, and those of the whole batch, changed."""
        whole = self.whole.map_tensors(change) if self.whole else None
        return replace(super().map_tensors(change), whole=whole)


def shares(experiment: Experiment, generator: torch.Generator, ranks: Ranks, keep_whole: bool) -> Iterator[Share]:
    """This rank's shares of the batches that one process would train on, in their order.

    A rank reads its own dialogues only, unless transforms change the batches: these draw random numbers for a whole
    batch, so that all ranks, and one process, draw the same.

    Args:
        experiment: data and transforms.
        generator: stands at the same place on all ranks.
        ranks: who shares.
        keep_whole: whether a loss compares the utterances of a batch with each other.
    """
    train = experiment.splits.train
    for chosen in orders(experiment, generator):
        if experiment.transforms or keep_whole:
            yield divided(make_batch(experiment, chosen, generator), ranks, keep_whole)
            continue
        mine = [chosen[i] for i in ranks.share(len(chosen))]
        any_scored = any(bool((labels_of(train, i) >= 0).any()) for i in chosen)
        yield _share(collate([train[i] for i in mine or chosen[:1]]), stands_in=not mine, any_scored=any_scored)


def divided(batch: Batch, ranks: Ranks, keep_whole: bool) -> Share:
    """This rank's share of a batch on the host."""
    sizes = batch.context.layout.sizes
    parts = [ranks.share(len(sizes), rank) for rank in range(ranks.size)]
    mine = parts[ranks.rank]
    share = _share(_part(batch, mine or range(1)), stands_in=not mine, any_scored=len(batch.scored) > 0)
    if not keep_whole:
        return share
    return replace(share, whole=batch, rows=tuple(sum(sizes[i] for i in part) for part in parts))


def _share(batch: Batch, stands_in: bool, any_scored: bool) -> Share:
    if stands_in:
        nothing = torch.full_like(batch.labels, -1)
        batch = replace(batch, labels=nothing, scored=batch.scored[:0], dialogues=())
    return Share(**{f.name: getattr(batch, f.name) for f in fields(Batch)}, stands_in=stands_in, any_scored=any_scored)


def _part(batch: Batch, dialogues: range) -> Batch:
    """Some neighbouring dialogues of a batch."""
    context, sizes = batch.context, batch.context.layout.sizes
    start, stop = (sum(sizes[:i]) for i in (dialogues.start, dialogues.stop))

    def rows(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: x_N[start:stop] for name, x_N in tensors.items()}

    labels_N = batch.labels[start:stop]
    layout = Layout.from_lengths(sizes[dialogues.start : dialogues.stop])
    return Batch(
        features=rows(batch.features),
        context=Context(layout, context.speaker[start:stop], rows(context.available)),
        labels=labels_N,
        scored=torch.nonzero(labels_N >= 0).squeeze(-1),
        targets=rows(batch.targets),
        hidden=rows(batch.hidden),
        dialogues=batch.dialogues[dialogues.start : dialogues.stop],
    )
