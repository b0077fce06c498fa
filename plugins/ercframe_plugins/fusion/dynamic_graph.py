"""MM-DFN's fusion: a graph whose nodes remember, from layer to layer, what they heard."""

import torch
from pydantic import Field
from torch import Tensor, nn

from ercframe import DatasetInfo, Fusion, Layout, StreamSpec, hookimpl
from ercframe_plugins.fusion.utterance_graph import Edges, UtteranceGraphFusion

# Shape letters: B dialogues, L longest dialogue, N utterances in the batch, M modalities, H features of a graph layer.
# A node is one modality of one utterance.


class DynamicGraphFusion(UtteranceGraphFusion):
    r"""Let every node decide, before each layer of a graph, what it keeps of the layers so far and what it passes on.

    The graph, its edges and layers :math:`z_l` are those of the fusion ``graph``. Before each layer every node takes a
    step of an LSTM, which all nodes and layers share and whose state goes from layer to layer; the layer spreads what
    the LSTM gives out, and what went into the LSTM is added again:

    .. math::
        q_1 &= h_0 = \operatorname{ReLU}(W_0 x + b_0), \qquad s_0 = c_0 = 0 \\
        s_l, c_l &= \operatorname{LSTM}(q_l;\; s_{l-1}, c_{l-1}) \\
        q_{l+1} &= \operatorname{ReLU}(z_l(s_l, h_0)) + q_l, \qquad l = 1 \dots L \\
        y_m &= [x_m; q_{L+1,m}]

    Reads each modality's own stream, all of one width D, any number of modalities. Returns :math:`y_m`,
    ``(N, D + hidden)``, for each modality and, side by side, as the joint representation. Dropout is on :math:`x` after
    the edges are made, on :math:`q_1`, and on what each layer adds to it. With ``memory: false`` there is
    no LSTM, and :math:`s_l = q_l`.

    Raises:
        SpecError: streams differ in width, or a modality has none of its own.
        ValueError: ``speaker_embedding_on`` names a modality that there is not.

    References:
        Hu et al. (2022), MM-DFN: Multimodal Dynamic Fusion Network for Emotion Recognition in Conversations. The order
        of LSTM, layer, dropout and sum is that of the released code, with :math:`\alpha = 0.2`, :math:`\lambda = 0.5`
        and 16 layers on IEMOCAP, 32 on MELD. That gives NaN for a zero node, which a missing modality may be.
    """

    name = "dynamic_graph"
    example_configs = (
        {"hidden": 5, "layers": 2},
        {"hidden": 5, "layers": 1, "speaker_embedding_on": ["text"], "memory": False},
    )

    class Config(UtteranceGraphFusion.Config):
        memory: bool = Field(True, description="Without, the layers read each other's output, and the sums stay.")

    def __init__(self, config: Config, dataset: DatasetInfo, streams: StreamSpec) -> None:
        super().__init__(config, dataset, streams)
        self.memory = nn.LSTMCell(config.hidden, config.hidden) if config.memory else None

    def spread(self, first_BMLH: Tensor, edges: Edges, layout: Layout) -> Tensor:
        q_BMLH: Tensor = self.dropout(first_BMLH)
        state: tuple[Tensor, Tensor] | None = None  # PyTorch's word for zeros
        for layer in self.layers:
            s_BMLH = q_BMLH
            if self.memory is not None:
                # The LSTM is most of the work, so it leaves the gaps out.
                q_NMH = layout.from_padded(q_BMLH.transpose(1, 2))
                state = self.memory(q_NMH.flatten(0, 1), state)
                s_BMLH = layout.to_padded(state[0].view_as(q_NMH)).transpose(1, 2)
            q_BMLH = q_BMLH + self.dropout(torch.relu(layer(s_BMLH, first_BMLH, edges)))
        return q_BMLH


@hookimpl
def ercframe_components() -> list[type[Fusion]]:
    return [DynamicGraphFusion]
