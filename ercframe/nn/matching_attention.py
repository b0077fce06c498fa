"""Attention of every utterance over its dialogue, with one learned matrix between query and key."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ercframe.layout import Layout

# Shape letters: B dialogues, L longest dialogue, N utterances in the batch, D features.


class MatchingAttention(nn.Module):
    r"""Replace each utterance by a mixture of its dialogue's utterances.

    .. math:: x'_t = \sum_i \operatorname{softmax}_i(s_{ti})\, x_i, \qquad s_{ti} = (W x_t + b) \cdot x_i

    over all utterances of the dialogue, past and future. There is no scaling and no residual. With ``squash``,
    :math:`\tanh(s_{ti})` stands in the place of :math:`s_{ti}`: scores lie in (−1, 1), so a weight is at most
    :math:`e^2` times another and the attention always stays flat.

    Args:
        width: D.
        squash: whether scores go through tanh.

    References:
        "general2" of two released systems, which share the name and differ in the tanh: bc-LSTM has it, DialogueRNN
        does not.
    """

    def __init__(self, width: int, *, squash: bool) -> None:
        super().__init__()
        self.transform = nn.Linear(width, width)
        self.squash = squash

    def weights(self, x_BLD: Tensor, layout: Layout) -> Tensor:
        """Attention weights, ``(B, L, L)``: queries, then keys; a gap is never a key of an utterance."""
        score_BLL = self.transform(x_BLD) @ x_BLD.transpose(-2, -1)
        if self.squash:
            score_BLL = score_BLL.tanh()
        return torch.softmax(score_BLL.masked_fill(~layout.attention_mask(), -torch.inf), dim=-1)

    def forward(self, x_ND: Tensor, layout: Layout) -> Tensor:
        """The mixtures, ``(N, D)``."""
        x_BLD = layout.to_padded(x_ND)
        return layout.from_padded(self.weights(x_BLD, layout) @ x_BLD)
