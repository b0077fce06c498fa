"""The graph over every modality of every utterance of a dialogue, which several fusions spread over."""

import math
from abc import abstractmethod
from typing import NamedTuple

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
    Layout,
    Streams,
    StreamSpec,
)
from ercframe.nn import Dropout, at_least_float32, speaker_rows, without_autocast

# Shape letters: B dialogues, L longest dialogue, N utterances in the batch, M modalities, D features of a node,
# H features of a graph layer, F features of an output. A node is one modality of one utterance.

SHRINK = 0.99999
"""Keeps cosines away from ±1, where the slope of the arc cosine is infinite."""

SHORTEST = 1e-8
"""A node vector shorter than this has no direction; it counts as zero."""


class Edges(NamedTuple):
    """Edge weights of a batch of dialogues. Every pair that is in neither tensor has no edge.

    Attributes:
        within: between utterances of one dialogue in one modality, ``(B, M, L, L)``.
        across: between modalities of one utterance, ``(B, L, M, M)``.
    """

    within: Tensor
    across: Tensor

    def spread(self, h_BMLH: Tensor) -> Tensor:
        """Every node's weighted sum over its neighbours: the adjacency matrix times the nodes."""
        return self.within @ h_BMLH + (self.across @ h_BMLH.transpose(1, 2)).transpose(1, 2)


def connect(x_BMLD: Tensor, layout: Layout) -> Edges:
    r"""Weigh the edges by the angle between nodes and normalise them by degree.

    .. math:: w_{ij} = 1 - \frac{1}{\pi} \arccos\left(0.99999\, \frac{x_i \cdot x_j}{\|x_i\| \|x_j\|}\right), \qquad
        A_{ij} = \frac{w_{ij}}{\sqrt{\sum_k w_{ik} \sum_k w_{jk}}}

    A zero vector is at a right angle to everything, itself included: its weights are ½, its gradient is finite. Gaps
    of the padded view have edges among themselves only. Runs in float32 at least, since cosines near 1 need it; the
    result has the dtype of ``x``.
    """
    with without_autocast(x_BMLD.device):
        x = at_least_float32(x_BMLD)
        length_BML1 = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        unit_BMLD = x / torch.where(length_BML1 > SHORTEST, length_BML1, 1.0)
        other_MM = ~torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        within_BMLL = _weights(unit_BMLD) * layout.attention_mask()[:, None]
        across_BLMM = _weights(unit_BMLD.transpose(1, 2)) * other_MM
        degree_BML = within_BMLL.sum(dim=-1) + across_BLMM.sum(dim=-1).transpose(1, 2)
        scale_BML = degree_BML.rsqrt()
        within_BMLL = within_BMLL * scale_BML[..., :, None] * scale_BML[..., None, :]
        scale_BLM = scale_BML.transpose(1, 2)
        across_BLMM = across_BLMM * scale_BLM[..., :, None] * scale_BLM[..., None, :]
    return Edges(within_BMLL.to(x_BMLD.dtype), across_BLMM.to(x_BMLD.dtype))


def _weights(unit: Tensor) -> Tensor:
    """Weight of every pair of vectors along the last axis but one."""
    cosine = (unit @ unit.transpose(-2, -1)).clamp(-1, 1)  # rounding, most of all in TF32, may pass 1
    return 1 - torch.acos(SHRINK * cosine) / math.pi


class GraphLayer(nn.Module):
    r"""One layer of GCNII in the variant with two matrices in one, before its ReLU.

    .. math:: p = A h, \qquad z = \theta\, W [p; h_0] + (1 - \theta) \left((1 - \alpha) p + \alpha h_0\right)

    Args:
        width: H.
        alpha: share of the first layer's input :math:`h_0` in every layer.
        theta: share of the learned map.
    """

    def __init__(self, width: int, alpha: float, theta: float) -> None:
        super().__init__()
        self.alpha, self.theta = alpha, theta
        self.mix = nn.Linear(2 * width, width, bias=False)

    def forward(self, h_BMLH: Tensor, first_BMLH: Tensor, edges: Edges) -> Tensor:
        """:math:`z` for every node."""
        spread_BMLH = edges.spread(h_BMLH)
        residual_BMLH = (1 - self.alpha) * spread_BMLH + self.alpha * first_BMLH
        mixed_BMLH: Tensor = self.mix(torch.cat([spread_BMLH, first_BMLH], dim=-1))
        return self.theta * mixed_BMLH + (1 - self.theta) * residual_BMLH


class UtteranceGraphFusion(Fusion):
    r"""What fusions over the graph share: its nodes and edges, their layers, and what comes out.

    Nodes :math:`x` are the streams, plus the speaker's row where ``speaker_embedding_on`` says so; :func:`connect`
    weighs the edges. From :math:`h_0 = \operatorname{ReLU}(W_0 x + b_0)` on, :meth:`spread` says what the
    :class:`GraphLayer` do.
    """

    sees_future = True

    class Config(ComponentConfig):
        hidden: int = Field(100, ge=1, description="Width of the graph layers.")
        layers: int = Field(4, ge=1, description="Graph layers.")
        alpha: float = Field(0.1, ge=0, le=1, description="Share of the first layer's input in every layer.")
        decay: float = Field(
            0.5, gt=0, le=1.7, description="GCNII's λ: the learned map of layer l has the share ln(λ / l + 1)."
        )
        dropout: float = Field(0.4, ge=0, lt=1, description="On nodes, before the first layer and after every layer.")
        speaker_embedding_on: tuple[str, ...] | None = Field(
            None, description="Modalities whose nodes get the speaker's learned row added; null for none."
        )

    def __init__(self, config: Config, dataset: DatasetInfo, streams: StreamSpec) -> None:
        super().__init__()
        self.modalities = tuple(streams.own_widths())
        self.speaker_on = config.speaker_embedding_on or ()
        unknown = [m for m in self.speaker_on if m not in self.modalities]
        if unknown:
            raise ValueError(
                f"speaker_embedding_on must name modalities among {', '.join(self.modalities)} "
                f"(got {', '.join(unknown)})"
            )
        self.speaker = speaker_rows(dataset.speakers, streams.width) if self.speaker_on else None
        self.first = nn.Linear(streams.width, config.hidden)
        thetas = [math.log(config.decay / depth + 1) for depth in range(1, config.layers + 1)]
        self.layers = nn.ModuleList(GraphLayer(config.hidden, config.alpha, theta) for theta in thetas)
        self.dropout = Dropout(config.dropout)
        width = streams.width + config.hidden
        self.spec = FusedSpec(len(self.modalities) * width, dict.fromkeys(self.modalities, width))

    def forward(self, streams: Streams, context: Context) -> FusionOutput:
        x_BLMD = context.layout.to_padded(self._nodes(streams, context))
        x_BMLD = x_BLMD.transpose(1, 2)
        edges = connect(x_BMLD, context.layout)
        x_BMLD = self.dropout(x_BMLD)
        h_BMLH = self.spread(torch.relu(self.first(x_BMLD)), edges, context.layout)
        y_BMLF = torch.cat([x_BMLD, h_BMLH], dim=-1)
        y_NMF = context.layout.from_padded(y_BMLF.transpose(1, 2))
        by_modality = dict(zip(self.modalities, y_NMF.unbind(dim=1), strict=True))
        return FusionOutput(joint=y_NMF.flatten(1), by_modality=by_modality)

    @abstractmethod
    def spread(self, first_BMLH: Tensor, edges: Edges, layout: Layout) -> Tensor:
        """From :math:`h_0` through every layer: the last one's output, dropout included."""

    def _nodes(self, streams: Streams, context: Context) -> Tensor:
        """The streams, with the speaker's row where asked for, ``(N, M, D)``."""
        nodes = {m: streams.intra(m) for m in self.modalities}
        if self.speaker is not None:
            speaker_ND = self.speaker(context.speaker)
            nodes |= {m: nodes[m] + speaker_ND for m in self.speaker_on}
        return torch.stack(list(nodes.values()), dim=1)
