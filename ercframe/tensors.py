"""The values that pass between components: what they hold, under which names, in which shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor

from ercframe.layout import Layout

# Shape letters: N utterances in the batch, S scored utterances, M modalities, D features, C emotions.


class Stream(NamedTuple):
    """Name of a representation: the ``target`` modality after it listened to the ``source`` modality."""

    target: str
    source: str

    def __str__(self) -> str:
        return self.target if self.target == self.source else f"{self.target}←{self.source}"


@dataclass(frozen=True)
class Context:
    """All that a model may know of a batch besides its features. There are no labels in it.

    Attributes:
        layout: where the dialogues are.
        speaker: speaker ids, ``(N,)``, from 0 to ``DatasetInfo.speakers``, that last one for "unknown".
        available: for each modality, which utterances have it, ``(N,)`` bool. A missing row is zeros.
    """

    layout: Layout
    speaker: Tensor
    available: Mapping[str, Tensor]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Context:
        """The same context with its tensors on ``device``."""
        return self.map_tensors(lambda x: x.to(device, non_blocking=non_blocking))

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> Context:
        """The same context with each of its tensors changed."""
        return Context(self.layout.map_tensors(change), change(self.speaker), _each(self.available, change))


@dataclass(frozen=True)
class Batch:
    """Some dialogues, packed: every tensor has one row for each real utterance.

    Attributes:
        features: for each modality, ``(N, D)`` float.
        context: layout, speakers and availability.
        labels: emotion of each utterance, ``(N,)``; -1 means "context only, not scored".
        scored: rows whose label is not -1, ``(S,)``, made at collation.
        targets: further targets such as ``"vad"``, ``(N, K)``; NaN where unknown.
        hidden: for each modality, the rows a transform hid, ``(N,)`` bool; absent where none did.
        dialogues: id of each dialogue, on the host.
    """

    features: Mapping[str, Tensor]
    context: Context
    labels: Tensor
    scored: Tensor
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    hidden: Mapping[str, Tensor] = field(default_factory=dict)
    dialogues: tuple[str, ...] = ()

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """The same batch with its tensors on ``device``."""
        return self.map_tensors(lambda x: x.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory, from which copies to a GPU need not wait for it."""
        return self.map_tensors(lambda x: x.pin_memory())

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same batch with each of its tensors changed."""
        return replace(
            self,
            features=_each(self.features, change),
            context=self.context.map_tensors(change),
            labels=change(self.labels),
            scored=change(self.scored),
            targets=_each(self.targets, change),
            hidden=_each(self.hidden, change),
        )


class Streams(Mapping[Stream, Tensor]):
    """What an encoder returns: a tensor ``(N, D)`` for each :class:`Stream`, in the order it was given."""

    def __init__(self, tensors: Mapping[Stream, Tensor]) -> None:
        self._tensors = dict(tensors)

    def __getitem__(self, stream: Stream) -> Tensor:
        return self._tensors[stream]

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def intra(self, modality: str) -> Tensor:
        """The modality's own stream, ``(N, D)``."""
        return self._tensors[Stream(modality, modality)]

    def into(self, target: str) -> dict[str, Tensor]:
        """Every stream into ``target``, by source: its own first, the others in the encoder's order."""
        found = {s.source: x for s, x in self._tensors.items() if s.target == target}
        own = {target: found.pop(target)} if target in found else {}
        return own | found


@dataclass(frozen=True)
class FusionOutput:
    """What a fusion returns.

    Attributes:
        joint: the fused representation, ``(N, D)``.
        by_modality: one representation per modality, ``(N, D)`` each, where the fusion keeps them apart.
        weights: distributions over their last axis; ``"modality"``, ``(N, M)`` in the order of the recipe's
            modalities, is what reports plot. They keep their gradient.
        extras: anything else a loss or a report may read.
    """

    joint: Tensor
    by_modality: Mapping[str, Tensor] = field(default_factory=dict)
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    extras: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What a classifier returns: ``logits (N, C)`` and, where it mixes decisions, its ``weights`` as in a fusion."""

    logits: Tensor
    weights: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelOutput:
    """Everything a model computed for a batch; what losses and reports read."""

    streams: Streams
    fused: FusionOutput
    decision: Decision


@dataclass(frozen=True)
class Term:
    """A loss summed over rows and what to divide it by, both scalars.

    Attributes:
        total: sum in nats.
        count: number of rows, or the sum of their class weights; no gradient.
    """

    total: Tensor
    count: Tensor


def _each(tensors: Mapping[str, Tensor], change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    return {name: change(x) for name, x in tensors.items()}
