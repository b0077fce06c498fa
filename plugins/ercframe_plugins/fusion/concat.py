"""Concatenation: the modalities side by side."""

import torch

from ercframe import (
    ComponentConfig,
    Context,
    DatasetInfo,
    FusedSpec,
    Fusion,
    FusionOutput,
    Streams,
    StreamSpec,
    hookimpl,
)

# Shape letters: N utterances, M modalities, D features.


class ConcatFusion(Fusion):
    r"""Put the modalities' own streams side by side, and leave the choice to the classifier.

    .. math:: h = [x_1; \dots; x_M]

    No parameters; widths may differ. Reads each modality's own stream, ``(N, D_m)``, in the encoder's order. Returns
    the joint representation, as wide as all of them together, and each modality's unchanged. A joint stream of an
    encoder that fuses early passes through as it is.

    References:
        Poria et al. (2017), bc-LSTM, and most baselines after it.
    """

    name = "concat"

    def __init__(self, config: ComponentConfig, dataset: DatasetInfo, streams: StreamSpec) -> None:
        super().__init__()
        widths = streams.own_widths()
        self.modalities = tuple(widths)
        self.spec = FusedSpec(sum(widths.values()), widths)

    def forward(self, streams: Streams, context: Context) -> FusionOutput:
        own = {m: streams.intra(m) for m in self.modalities}
        return FusionOutput(joint=torch.cat(list(own.values()), dim=-1), by_modality=own)


@hookimpl
def ercframe_components() -> list[type[Fusion]]:
    return [ConcatFusion]
