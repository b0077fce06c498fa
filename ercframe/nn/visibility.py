"""Which utterances an utterance may attend to, and attention over just these."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ercframe.layout import Layout
from ercframe.nn.dropout import dropout

# Shape letters: B dialogues, L longest dialogue, N utterances in the batch, H heads, K features of a head,
# G blocks of queries, Q queries of a block, R rows that a block may look at.

SMALLEST_BLOCK = 32


class Visibility(ABC):
    """What each utterance of a batch may attend to; made once and used by every attention over that batch."""

    @staticmethod
    def within(layout: Layout, past: int | None = None, future: int | None = None) -> Visibility:
        """Every utterance sees its own dialogue, or what lies in a window of it.

        A window that ends on both sides, in dialogues that are longer, is computed in blocks: time and memory then grow
        with the number of utterances, not with the square of the longest dialogue. The results are the same. All that
        came before and nothing later needs no mask, unless weights are dropped on a CPU: time still grows with the
        square, which is what such a window means, but memory with the number of utterances.

        Args:
            layout: where the dialogues are.
            past: how many earlier utterances are visible; None for all.
            future: how many later utterances are visible; None for all, 0 for a causal model.
        """
        if past is None or future is None or not layout.has_known_sizes:
            return _WholeDialogues(layout, past, future)
        if _block(past, future) + past + future < layout.longest:
            return _Blocks(layout, past, future)
        return _WholeDialogues(layout, past, future)

    @abstractmethod
    def attend(self, query_NHK: Tensor, key_NHK: Tensor, value_NHK: Tensor, dropout: float = 0.0) -> Tensor:
        """Scaled dot-product attention over what is visible, ``(N, H, K)``; ``dropout`` is the share of weights."""


class _WholeDialogues(Visibility):
    """Every query beside every key of its dialogue, in the padded view."""

    def __init__(self, layout: Layout, past: int | None, future: int | None) -> None:
        self.layout, self.past, self.future = layout, past, future
        self._visible_B1LL: Tensor | None = None

    def mask(self) -> Tensor:
        """Which key each query may see, ``(B, 1, L, L)``; made where it is needed."""
        if self._visible_B1LL is None:
            self._visible_B1LL = self.layout.attention_mask(self.past, self.future).unsqueeze(1)
        return self._visible_B1LL

    def attend(self, query_NHK: Tensor, key_NHK: Tensor, value_NHK: Tensor, dropout: float = 0.0) -> Tensor:
        query, key, value = (self.layout.to_padded(x_NHK).transpose(1, 2) for x_NHK in (query_NHK, key_NHK, value_NHK))
        if self.past is None and self.future == 0 and _is_fused(query, dropout):
            # Gaps come after a dialogue's utterances, so that these see none of them.
            y_BHLK = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        else:
            y_BHLK = _attention(query, key, value, self.mask(), dropout)
        return self.layout.from_padded(y_BHLK.transpose(1, 2))


class _Blocks(Visibility):
    """Blocks of neighbouring packed rows, each beside the rows that any of its queries may see."""

    def __init__(self, layout: Layout, past: int, future: int) -> None:
        self.rows, self.block = layout.utterances, _block(past, future)
        self.before, self.reach = past, self.block + past + future
        self.blocks = -(-self.rows // self.block)
        device = layout.dialogue.device
        first_G11 = torch.arange(self.blocks, device=device)[:, None, None] * self.block
        query_GQ1 = first_G11 + torch.arange(self.block, device=device)[:, None]
        key_G1R = first_G11 - past + torch.arange(self.reach, device=device)
        ahead_GQR = key_G1R - query_GQ1
        near_GQR = (ahead_GQR >= -past) & (ahead_GQR <= future) & (key_G1R >= 0) & (key_G1R < self.rows)
        dialogue_GQ1, dialogue_G1R = (layout.dialogue[row.clamp(0, self.rows - 1)] for row in (query_GQ1, key_G1R))
        # A query behind the last utterance sees itself, so that its softmax stays finite; its result is cut off.
        self.visible_G1QR = ((near_GQR & (dialogue_GQ1 == dialogue_G1R)) | (ahead_GQR == 0)).unsqueeze(1)

    def attend(self, query_NHK: Tensor, key_NHK: Tensor, value_NHK: Tensor, dropout: float = 0.0) -> Tensor:
        behind = self.blocks * self.block - self.rows
        into_blocks = (self.blocks, self.block, *query_NHK.shape[1:])
        query_GQHK = nn.functional.pad(query_NHK, (0, 0, 0, 0, 0, behind)).view(into_blocks)
        around = (0, 0, 0, 0, self.before, behind + self.reach - self.block - self.before)
        key_GHKR, value_GHKR = (
            nn.functional.pad(x_NHK, around).unfold(0, self.reach, self.block) for x_NHK in (key_NHK, value_NHK)
        )
        y_GHQK = _attention(
            query_GQHK.transpose(1, 2),
            key_GHKR.transpose(-2, -1),
            value_GHKR.transpose(-2, -1),
            self.visible_G1QR,
            dropout,
        )
        return y_GHQK.transpose(1, 2).flatten(0, 1)[: self.rows]


def _block(past: int, future: int) -> int:
    """Queries of a block: as many as the window is wide, so that at most half of what it looks at is masked."""
    return max(SMALLEST_BLOCK, past + future)


def _attention(query: Tensor, key: Tensor, value: Tensor, visible: Tensor, share_dropped: float) -> Tensor:
    """Softmax attention over the last two axes, ``(…, H, queries, K)``."""
    if _is_fused(query, share_dropped):
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=visible, dropout_p=share_dropped)
    score = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    hidden = torch.zeros_like(visible, dtype=score.dtype).masked_fill_(~visible, -torch.inf)
    return dropout(torch.softmax(score + hidden, dim=-1), share_dropped) @ value


def _is_fused(query: Tensor, share_dropped: float) -> bool:
    """Whether PyTorch's attention is fast.

    With dropout it has no fused kernel on a CPU: it takes float32 products, also under autocast, and slow masks.
    """
    return not share_dropped or query.device.type != "cpu"
