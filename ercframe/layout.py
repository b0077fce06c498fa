"""How the dialogues of a batch lie in packed tensors, and the way to a padded view and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

# Shape letters: B dialogues, L longest dialogue, N utterances in the batch.


@dataclass(frozen=True)
class Layout:
    """Where each dialogue's utterances are in tensors that hold real utterances only.

    Sizes are Python integers and every index is made on the host, by :meth:`from_lengths` at collation, so that
    nothing in a training step waits for the device.

    Attributes:
        sizes: length of each dialogue, on the host, B integers, all at least 1.
        lengths: the same as a tensor, ``(B,)``.
        dialogue: index of each utterance's dialogue, ``(N,)``.
        position: place of each utterance in its dialogue from 0, ``(N,)``.
        mask: True where the padded view holds an utterance, ``(B, L)``.
        slot: place of each utterance in the flattened padded view, ``(N,)``.
        fill: what :meth:`to_padded` writes into the gaps. 0 in use; the contract suite changes it to find
            components that read gaps.
    """

    sizes: tuple[int, ...]
    lengths: Tensor
    dialogue: Tensor
    position: Tensor
    mask: Tensor
    slot: Tensor
    fill: float = 0.0

    @classmethod
    def from_lengths(cls, lengths: Sequence[int]) -> Layout:
        """Lay out dialogues of these lengths one after the other.

        Raises:
            ValueError: there is no dialogue, or one has no utterance.
        """
        sizes = tuple(int(n) for n in lengths)
        if not sizes or min(sizes) < 1:
            raise ValueError(f"a layout must have at least one dialogue, each of at least one utterance (got {sizes})")
        lengths_B = torch.tensor(sizes)
        dialogue_N = torch.repeat_interleave(torch.arange(len(sizes)), lengths_B)
        start_B = lengths_B.cumsum(0) - lengths_B
        position_N = torch.arange(sum(sizes)) - start_B[dialogue_N]
        mask_BL = torch.arange(max(sizes)) < lengths_B[:, None]
        return cls(sizes, lengths_B, dialogue_N, position_N, mask_BL, dialogue_N * max(sizes) + position_N)

    @classmethod
    def of_one(cls, length: int, device: torch.device | str = "cpu") -> Layout:
        """Lay out a single dialogue, on a device; while a program is exported, the length is a symbol."""
        step_L = torch.arange(length, device=device)
        lengths_B = torch.full((1,), length, device=device)
        mask_BL = torch.ones(1, length, dtype=torch.bool, device=device)
        return cls((length,), lengths_B, torch.zeros_like(step_L), step_L, mask_BL, step_L)

    @property
    def has_known_sizes(self) -> bool:
        """False while a program is exported, which must hold for any length: Python cannot go by a size then."""
        return all(isinstance(size, int) for size in self.sizes)

    @property
    def dialogues(self) -> int:
        """Number of dialogues, B."""
        return len(self.sizes)

    @property
    def longest(self) -> int:
        """Length of the longest dialogue, L."""
        return max(self.sizes)

    @property
    def utterances(self) -> int:
        """Number of utterances, N."""
        return sum(self.sizes)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Layout:
        """The same layout with its tensors on ``device``."""
        return self.map_tensors(lambda x: x.to(device, non_blocking=non_blocking))

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> Layout:
        """The same layout with each of its tensors changed."""
        names = ("lengths", "dialogue", "position", "mask", "slot")
        changed: dict[str, Any] = {name: change(getattr(self, name)) for name in names}
        return replace(self, **changed)

    def to_padded(self, x: Tensor) -> Tensor:
        """Spread rows ``(N, *)`` over dialogues, ``(B, L, *)``; gaps hold zeros.

        Do not rely on the zeros: use :attr:`mask`. The contract suite fills gaps with other values.
        """
        flat = x.new_full((self.dialogues * self.longest, *x.shape[1:]), self.fill)
        return flat.index_copy_(0, self.slot, x).view(self.dialogues, self.longest, *x.shape[1:])

    def from_padded(self, y: Tensor) -> Tensor:
        """Take the real rows of a padded view ``(B, L, *)``, giving ``(N, *)``."""
        return y.flatten(0, 1).index_select(0, self.slot)

    def attention_mask(self, past: int | None = None, future: int | None = None) -> Tensor:
        """Which key (last axis) each query may attend to, ``(B, L, L)``, True where it may.

        Keys in gaps are never visible to a real utterance. A query in a gap sees itself, so that its softmax
        stays finite; its result is dropped by :meth:`from_padded`.

        Args:
            past: how many earlier utterances are visible; None for all.
            future: how many later utterances are visible; None for all, 0 for a causal model.
        """
        step_L = torch.arange(self.longest, device=self.mask.device)
        ahead_LL = step_L[None, :] - step_L[:, None]
        visible_LL = torch.ones_like(ahead_LL, dtype=torch.bool)
        if past is not None:
            visible_LL = visible_LL & (ahead_LL >= -past)
        if future is not None:
            visible_LL = visible_LL & (ahead_LL <= future)
        real_BLL = self.mask[:, None, :] & self.mask[:, :, None] & visible_LL
        return real_BLL | (ahead_LL == 0)
