"""The training batches divided over the ranks by whole dialogues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
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
        labels = [labels_of(train, i) for i in chosen]
        mine = [chosen[i] for i in by_utterances([len(x) for x in labels], ranks.size)[ranks.rank]]
        any_scored = any(bool((x >= 0).any()) for x in labels)
        yield _share(collate([train[i] for i in mine or chosen[:1]]), stands_in=not mine, any_scored=any_scored)


def by_utterances(sizes: Sequence[int], ranks: int) -> list[list[int]]:
    """Which dialogues of a batch each rank takes, in their order.

    A step takes as long as the rank with the most utterances. So the longest dialogue is given away first, each to the
    rank that has the fewest utterances so far; of equals the first.

    Args:
        sizes: length of each dialogue.
        ranks: how many there are.
    """
    taken: list[list[int]] = [[] for _ in range(ranks)]
    utterances = [0] * ranks
    for i in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        rank = utterances.index(min(utterances))
        taken[rank].append(i)
        utterances[rank] += sizes[i]
    return [sorted(dialogues) for dialogues in taken]


def divided(batch: Batch, ranks: Ranks, keep_whole: bool) -> Share:
    """This rank's share of a batch on the host.

    The whole batch, where it is kept, has its dialogues in the order of the ranks.
    """
    sizes = batch.context.layout.sizes
    parts = by_utterances(sizes, ranks.size)
    mine = parts[ranks.rank]
    share = _share(_part(batch, mine or [0]), stands_in=not mine, any_scored=len(batch.scored) > 0)
    if not keep_whole:
        return share
    whole = _part(batch, [i for part in parts for i in part])
    return replace(share, whole=whole, rows=tuple(sum(sizes[i] for i in part) for part in parts))


def _share(batch: Batch, stands_in: bool, any_scored: bool) -> Share:
    if stands_in:
        nothing = torch.full_like(batch.labels, -1)
        batch = replace(batch, labels=nothing, scored=batch.scored[:0], dialogues=())
    return Share(**{f.name: getattr(batch, f.name) for f in fields(Batch)}, stands_in=stands_in, any_scored=any_scored)


def _part(batch: Batch, dialogues: Sequence[int]) -> Batch:
    """Some dialogues of a batch, in this order."""
    context, sizes = batch.context, batch.context.layout.sizes
    first = list(accumulate(sizes, initial=0))
    rows_N = torch.cat([torch.arange(first[i], first[i + 1]) for i in dialogues])

    def rows(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: x[rows_N] for name, x in tensors.items()}

    labels_N = batch.labels[rows_N]
    return Batch(
        features=rows(batch.features),
        context=Context(
            Layout.from_lengths([sizes[i] for i in dialogues]), context.speaker[rows_N], rows(context.available)
        ),
        labels=labels_N,
        scored=torch.nonzero(labels_N >= 0).squeeze(-1),
        targets=rows(batch.targets),
        hidden=rows(batch.hidden),
        dialogues=tuple(batch.dialogues[i] for i in dialogues),
    )
