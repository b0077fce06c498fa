"""Packed rows sorted by time step, which is the order that recurrent networks read them in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ercframe.layout import Layout

# Shape letters: B dialogues, L longest dialogue, N utterances in the batch, D features.


@dataclass(frozen=True)
class StepOrder:
    """Every dialogue's first utterance, then every second one, and so on; within a step, long dialogues first.

    So the dialogues still running at step t are the first ``counts[t]`` of those running before it, and a recurrent
    network needs neither padding nor a mask: it drops the tail of its state.

    Attributes:
        place: where each utterance goes, ``(N,)``.
        counts: number of dialogues running at each step, on the host, L integers that never grow.
    """

    place: Tensor
    counts: tuple[int, ...]

    @classmethod
    def of(cls, layout: Layout, *, backward: bool = False) -> StepOrder:
        """The order of ``layout``; ``backward`` reads each dialogue from its own last utterance to its first.

        Raises:
            NotImplementedError: sizes are not known, since a program is exported.
        """
        if not layout.has_known_sizes:
            raise NotImplementedError(
                "it goes from turn to turn in Python, and PyTorch exports that for one number of turns only"
            )
        counts = tuple(sum(size > step for size in layout.sizes) for step in range(layout.longest))
        rank_B = layout.lengths.argsort(descending=True, stable=True).argsort()
        running_L = layout.mask.sum(dim=0)
        before_L = running_L.cumsum(dim=0) - running_L
        last_N = layout.lengths.index_select(0, layout.dialogue) - 1
        step_N = last_N - layout.position if backward else layout.position
        return cls(before_L.index_select(0, step_N) + rank_B.index_select(0, layout.dialogue), counts)

    def sort(self, x: Tensor) -> Tensor:
        """Rows ``(N, *)`` from the order of the batch into the order of steps."""
        return torch.empty_like(x).index_copy(0, self.place, x)

    def unsort(self, y: Tensor) -> Tensor:
        """Rows ``(N, *)`` from the order of steps back into the order of the batch."""
        return y.index_select(0, self.place)

    def pack(self, x: Tensor) -> PackedSequence:
        """Rows ``(N, D)`` in the order of the batch as what ``torch.nn.LSTM`` and ``torch.nn.GRU`` read."""
        return PackedSequence(self.sort(x), torch.tensor(self.counts))

    def unpack(self, y: PackedSequence) -> Tensor:
        """What ``torch.nn.LSTM`` and ``torch.nn.GRU`` return, as rows ``(N, D)`` in the order of the batch."""
        return self.unsort(y.data)
