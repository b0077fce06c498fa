"""The transformer layers of SDT's encoder, one for each ordered pair of modalities."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import cast

import torch
from torch import Tensor, nn

from ercframe import Stream
from ercframe.nn import (
    DialogueAttention,
    Dropout,
    FeedForward,
    Visibility,
    grouped_attention,
    grouped_feed_forward,
    prefers_groups,
)

# Shape letters: N utterances in the batch, D features, M modalities, P pairs, O pairs of two modalities.


class PairTransformer(nn.Module):
    """One transformer layer through which a target modality listens to a source modality.

    Attention, dropout and a residual connection, then a feed-forward network of the same width behind a
    normalisation. Nothing is normalised before the attention, as in the first (here the only) layer of the
    released code.

    Args:
        width: features of both modalities and of the result.
        heads: attention heads.
        dropout: for the inputs, the attention weights, the attended rows and twice in the feed-forward network.
        own: True where target and source are one modality.
    """

    def __init__(self, width: int, heads: int, dropout: float, own: bool) -> None:
        super().__init__()
        self.own = own
        self.attention = DialogueAttention(width, heads, dropout)
        self.feed_forward = FeedForward(width, width, dropout)
        self.dropout = Dropout(dropout)

    def forward(self, target_ND: Tensor, source_ND: Tensor, visible: Visibility) -> Tensor:
        """The target after it listened to the source, ``(N, D)``."""
        target_ND = self.dropout(target_ND)
        source_ND = target_ND if self.own else self.dropout(source_ND)
        heard_ND = self.attention(target_ND, source_ND, visible)
        stream_ND: Tensor = self.feed_forward(target_ND + self.dropout(heard_ND))
        return stream_ND


class PairTransformers(nn.ModuleDict):
    """A transformer layer for each stream, no two of which share parameters.

    On a GPU the layers run as one, so that it is handed a fraction of the operations. The numbers are the same but for
    rounding and for what dropout picks.

    Args:
        streams: pairs of a target and a source.
        width: features of every modality and of every stream.
        heads: attention heads of every layer.
        dropout: of every layer.
    """

    source_row: Tensor

    def __init__(self, streams: Sequence[Stream], width: int, heads: int, dropout: float) -> None:
        super().__init__({f"{t}_from_{s}": PairTransformer(width, heads, dropout, own=t == s) for t, s in streams})
        self.streams = tuple(streams)
        # Where each pair's source lies among all dropped-out targets, followed by the sources that are no target's own.
        other = count(len(self.streams))
        rows = [p if t == s else next(other) for p, (t, s) in enumerate(self.streams)]
        self.register_buffer("source_row", torch.tensor(rows), persistent=False)

    def forward(self, h: Mapping[str, Tensor], visible: Visibility) -> dict[Stream, Tensor]:
        """Every stream, ``(N, D)``, from the modalities, each ``(N, D)``."""
        if prefers_groups(self.source_row.device):
            return dict(zip(self.streams, self.grouped(h, visible).unbind(0), strict=True))
        layers = zip(self.streams, self.values(), strict=True)
        return {stream: layer(h[stream.target], h[stream.source], visible) for stream, layer in layers}

    def grouped(self, h: Mapping[str, Tensor], visible: Visibility) -> Tensor:
        """The same in operations on all pairs at once, ``(P, N, D)``."""
        pairs = [cast(PairTransformer, pair) for pair in self.values()]
        dropout = pairs[0].dropout
        target_PND = dropout(torch.stack([h[target] for target, _ in self.streams]))
        source_PND = target_PND
        if others := [h[source] for target, source in self.streams if target != source]:
            source_PND = torch.cat([target_PND, dropout(torch.stack(others))]).index_select(0, self.source_row)
        heard_PND = grouped_attention([pair.attention for pair in pairs], target_PND, source_PND, visible)
        return grouped_feed_forward([pair.feed_forward for pair in pairs], target_PND + dropout(heard_PND))
