"""MMGCN-style fusion: a graph over every modality of every utterance of a dialogue."""

import torch
from torch import Tensor

from ercframe import Fusion, Layout, hookimpl
from ercframe_plugins.fusion.utterance_graph import Edges, UtteranceGraphFusion

# Shape letters: B dialogues, L longest dialogue, M modalities, H features of a graph layer.
# A node is one modality of one utterance.


class GraphFusion(UtteranceGraphFusion):
    r"""Spread every modality of every utterance over its dialogue and over its utterance's other modalities.

    Nodes :math:`x` are the streams, plus the speaker's row where ``speaker_embedding_on`` says so. Edges join all
    utterances of a dialogue within a modality, each with itself, and the modalities of an utterance. They weigh by the
    angle between their nodes, and are normalised by degree:

    .. math:: w_{ij} = 1 - \frac{1}{\pi} \arccos\left(0.99999\, \frac{x_i \cdot x_j}{\|x_i\| \|x_j\|}\right), \qquad
        A_{ij} = \frac{w_{ij}}{\sqrt{\sum_k w_{ik} \sum_k w_{jk}}}

    Then, with :math:`p = A h` in each layer and :math:`\theta_l = \ln(\lambda / l + 1)`,

    .. math::
        z_l(h, h_0) &= \theta_l W_l [p; h_0] + (1 - \theta_l) \left((1 - \alpha) p + \alpha h_0\right) \\
        h_0 &= \operatorname{ReLU}(W_0 x + b_0), \qquad h_l = \operatorname{ReLU}(z_l(h_{l-1}, h_0)), \qquad
        y_m = [x_m; h_{L,m}]

    Reads each modality's own stream, all of one width D, any number of modalities. Returns :math:`y_m`,
    ``(N, D + hidden)``, for each modality and, side by side, as the joint representation. Dropout is on :math:`x` after
    the edges are made, on every layer's input, and on the last layer's output.

    Raises:
        SpecError: streams differ in width, or a modality has none of its own.
        ValueError: ``speaker_embedding_on`` names a modality that there is not.

    References:
        Hu et al. (2021), MMGCN: Multimodal Fusion via Deep Graph Convolution Network for Emotion Recognition in
        Conversation; layers from Chen et al. (2020), GCNII. Differences from the released code: that has 64 layers
        whatever is asked for, adds the speaker's row in place, and gives NaN for a zero node, which a missing modality
        may be. MMGCN has the speaker on text only and a ReLU before the classifier (``activate_input`` of ``mlp``).
    """

    name = "graph"
    example_configs = ({"hidden": 5, "layers": 2}, {"hidden": 5, "layers": 3, "speaker_embedding_on": ["text"]})

    def spread(self, first_BMLH: Tensor, edges: Edges, layout: Layout) -> Tensor:
        h_BMLH: Tensor = self.dropout(first_BMLH)
        for layer in self.layers:
            h_BMLH = self.dropout(torch.relu(layer(h_BMLH, first_BMLH, edges)))
        return h_BMLH


@hookimpl
def ercframe_components() -> list[type[Fusion]]:
    return [GraphFusion]
