"""Gated fusion: every feature chooses which modality to listen to."""

import torch
from pydantic import Field
from torch import nn

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


class GatedFusion(Fusion):
    r"""Mix the modalities with a softmax gate computed per feature.

    .. math:: h = \sum_m \operatorname{softmax}_m(W x_m / \tau) \odot x_m

    with one matrix :math:`W` for all modalities. Reads each modality's own stream, ``(N, D)``. Returns the
    joint representation ``(N, D)``, the modalities unchanged, and ``weights["modality"]``, ``(N, M)``: the gate
    averaged over features.

    References:
        Ma et al. (2024), multimodal-level gated fusion. ``temperature`` is ours; the paper has 1.
    """

    name = "gated"

    class Config(ComponentConfig):
        temperature: float = Field(1.0, gt=0, description="Above 1 flattens the gate.")

    def __init__(self, config: Config, dataset: DatasetInfo, streams: StreamSpec) -> None:
        super().__init__()
        self.modalities, self.temperature = tuple(streams.own_widths()), config.temperature
        self.gate = nn.Linear(streams.width, streams.width, bias=False)
        self.spec = FusedSpec(streams.width, dict.fromkeys(self.modalities, streams.width))

    def forward(self, streams: Streams, context: Context) -> FusionOutput:
        x_NMD = torch.stack([streams.intra(m) for m in self.modalities], dim=-2)
        gate_NMD = torch.softmax(self.gate(x_NMD) / self.temperature, dim=-2)
        return FusionOutput(
            joint=(gate_NMD * x_NMD).sum(dim=-2),
            by_modality=dict(zip(self.modalities, x_NMD.unbind(dim=-2), strict=True)),
            weights={"modality": gate_NMD.mean(dim=-1)},
        )


@hookimpl
def ercframe_components() -> list[type[Fusion]]:
    return [GatedFusion]
