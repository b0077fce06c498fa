"""Cross-attention: every modality asks each other one, layer after layer."""

from collections.abc import Sequence
from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn

from ercframe import (
    ComponentConfig,
    Context,
    DatasetInfo,
    FusedSpec,
    Fusion,
    FusionOutput,
    Streams,
    StreamSpec,
    Window,
    hookimpl,
)
from ercframe.nn import (
    DialogueAttention,
    Dropout,
    Visibility,
    grouped_attention,
    grouped_layer_norm,
    grouped_linear,
    prefers_groups,
)

# Shape letters: N utterances in the batch, M modalities, D features, F hidden features, O other modalities.


class CrossAttentionLayer(nn.Module):
    """One layer of one modality: it asks the others, one after the other, and a feed-forward network follows.

    Each of these is added to what went in, and the sum is normalised.

    Args:
        width: features of every modality and of the result.
        heads: attention heads.
        hidden: features inside the feed-forward network.
        others: how many modalities there are to ask.
        dropout: for attention weights, attended rows and twice in the feed-forward network.
    """

    def __init__(self, width: int, heads: int, hidden: int, others: int, dropout: float) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(DialogueAttention(width, heads, dropout) for _ in range(others))
        self.attention_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(others))
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm, self.dropout = nn.LayerNorm(width), Dropout(dropout)

    def forward(self, x_ND: Tensor, others: Sequence[Tensor], visible: Visibility) -> Tensor:
        """The modality after it asked the others, ``(N, D)`` each, in their order."""
        for attention, norm, other_ND in zip(self.attentions, self.attention_norms, others, strict=True):
            x_ND = norm(x_ND + self.dropout(attention(x_ND, other_ND, visible)))
        wide_NF = self.dropout(torch.relu(self.widen(x_ND)))
        y_ND: Tensor = self.norm(x_ND + self.dropout(self.narrow(wide_NF)))
        return y_ND


def grouped_layer(
    layers: Sequence[CrossAttentionLayer], x_MND: Tensor, others_OMND: Tensor, visible: Visibility
) -> Tensor:
    """One layer of all modalities in operations on all of them at once, ``(M, N, D)``."""
    dropout = layers[0].dropout
    for i, other_MND in enumerate(others_OMND):
        attentions = [cast(DialogueAttention, layer.attentions[i]) for layer in layers]
        norms = [cast(nn.LayerNorm, layer.attention_norms[i]) for layer in layers]
        x_MND = grouped_layer_norm(x_MND + dropout(grouped_attention(attentions, x_MND, other_MND, visible)), norms)
    wide_MNF = dropout(torch.relu(grouped_linear(x_MND, [layer.widen for layer in layers])))
    change_MND = dropout(grouped_linear(wide_MNF, [layer.narrow for layer in layers]))
    return grouped_layer_norm(x_MND + change_MND, [layer.norm for layer in layers])


class CrossAttentionFusion(Fusion):
    r"""Let every modality ask each other one over the dialogue, in layers, and mix what they found.

    Modality :math:`m` starts as its own stream, :math:`h = x_m`. In each layer it asks the others :math:`n`, in the
    encoder's order, with an attention of its own for each, and passes a feed-forward network:

    .. math::

        h &\leftarrow \operatorname{LayerNorm}\left(h + \operatorname{Attention}(h, x_n, x_n)\right)
            \quad \text{for each } n \ne m \\
        h &\leftarrow \operatorname{LayerNorm}\left(h + W_2 \operatorname{ReLU}(W_1 h + b_1) + b_2\right)

    The asking modality is query; key and value are the other's stream, in every layer as the encoder made it. No two
    modalities or layers share parameters. With :math:`h_m` after the last layer, the joint representation is

    .. math:: z = W [h_1; \dots; h_M] + b

    Attention reaches no further than the dialogue, and there as far as ``window`` says. Reads each modality's own
    stream, all of one width D. Returns the joint representation and :math:`h_m` for each modality, ``(N, D)``. An
    utterance without a modality takes part with what the encoder made of it. One modality alone has nobody to ask.

    Raises:
        SpecError: streams differ in width, or a modality has none of its own.
        ValueError: ``heads`` does not divide the width of the streams.

    References:
        Shi and Huang (2023), MultiEMO: An Attention-Based Correlation-Aware Multimodal Fusion Framework for Emotion
        Recognition in Conversations, there with three modalities. Its released code attends to the padding of shorter
        dialogues, too, so a prediction depends on the batch; here it does not. That keys and values are the encoder's
        in every layer is this class's reading and not confirmed. ``window`` is ours.
    """

    name = "cross_attention"
    causal_help = ("fusion.window={future: 0}",)
    example_configs = (
        {"layers": 1, "heads": 2, "hidden": 8},
        {"layers": 2, "heads": 3, "hidden": 5, "dropout": 0.1, "window": {"past": 2, "future": 0}},
    )

    class Config(ComponentConfig):
        layers: int = Field(6, ge=1, description="Layers of each modality.")
        heads: int = Field(4, ge=1, description="Attention heads; must divide the width of the streams.")
        hidden: int = Field(1024, ge=1, description="Features inside the feed-forward networks.")
        dropout: float = Field(
            0.0, ge=0, lt=1, description="For attention weights, attended rows and the feed-forward networks."
        )
        window: Window | None = Field(
            None, description="How many earlier and later utterances are visible (past, future); null for all."
        )

    def __init__(self, config: Config, dataset: DatasetInfo, streams: StreamSpec) -> None:
        super().__init__()
        self.modalities, width = tuple(streams.own_widths()), streams.width
        if width % config.heads:
            raise ValueError(f"heads must divide the width of the streams, {width} (got {config.heads})")
        self.window, others = config.window or Window(), len(self.modalities) - 1
        self.sees_future = others > 0 and self.window.future != 0
        self.layers = nn.ModuleDict(
            {
                m: nn.ModuleList(
                    CrossAttentionLayer(width, config.heads, config.hidden, others, config.dropout)
                    for _ in range(config.layers)
                )
                for m in self.modalities
            }
        )
        self.mix = nn.Linear(len(self.modalities) * width, width)
        self.spec = FusedSpec(width, dict.fromkeys(self.modalities, width))

    def forward(self, streams: Streams, context: Context) -> FusionOutput:
        visible = Visibility.within(context.layout, self.window.past, self.window.future)
        if len(self.modalities) > 1 and prefers_groups(context.speaker.device):
            h = dict(zip(self.modalities, self.grouped(streams, visible).unbind(0), strict=True))
        else:
            h = {m: self._asked(m, streams, visible) for m in self.modalities}
        return FusionOutput(joint=self.mix(torch.cat(list(h.values()), dim=-1)), by_modality=h)

    def _asked(self, modality: str, streams: Streams, visible: Visibility) -> Tensor:
        """A modality after its layers, ``(N, D)``."""
        h_ND, others = streams.intra(modality), [streams.intra(m) for m in self._others(modality)]
        for layer in cast(nn.ModuleList, self.layers[modality]):
            h_ND = layer(h_ND, others, visible)
        return h_ND

    def grouped(self, streams: Streams, visible: Visibility) -> Tensor:
        """All modalities after their layers, in operations on all of them at once, ``(M, N, D)``."""
        h_MND = torch.stack([streams.intra(m) for m in self.modalities])
        asked = zip(*(self._others(m) for m in self.modalities), strict=True)
        others_OMND = torch.stack([torch.stack([streams.intra(m) for m in each]) for each in asked])
        for layers in zip(*(cast(nn.ModuleList, self.layers[m]) for m in self.modalities), strict=True):
            h_MND = grouped_layer([cast(CrossAttentionLayer, layer) for layer in layers], h_MND, others_OMND, visible)
        return h_MND

    def _others(self, modality: str) -> list[str]:
        return [m for m in self.modalities if m != modality]


@hookimpl
def ercframe_components() -> list[type[Fusion]]:
    return [CrossAttentionFusion]
