"""SDT's fusion: gate every stream, reduce to one representation per modality, gate the modalities."""

from typing import Literal

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
    Stream,
    Streams,
    StreamSpec,
    hookimpl,
)
from ercframe.nn import at_least_float32, grouped_linear, prefers_groups

# Shape letters: N utterances, M modalities, D features, P streams, S streams into a modality.


class StreamGate(nn.Module):
    r"""Let through a part of each feature, :math:`\sigma(W x) \odot x`.

    Args:
        width: features of input and result.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, width, bias=False)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Gate each row, ``(N, D)``."""
        gate_ND: Tensor = torch.sigmoid(self.score(x_ND))
        return gate_ND * x_ND


class HierarchicalGatedFusion(Fusion):
    r"""Gate the streams into each modality, then the modalities, feature by feature.

    For each modality :math:`m`, its streams :math:`x_{m \leftarrow n}`, its own first and the others in the encoder's
    order, pass a gate each and are reduced to one representation; a softmax over the modalities, computed per feature
    with one matrix :math:`V` for all, mixes these:

    .. math::

        g(x) &= \sigma(W x) \odot x \\
        h_m &= R_m \left[ g_{mm}(x_{m \leftarrow m}); g_{mn}(x_{m \leftarrow n}); \dots \right] + r_m \\
        h &= \sum_m \operatorname{softmax}_m(V h_m) \odot h_m

    Reads every stream; all must share one width. Returns the joint representation and each modality's, ``(N, D)``, and
    ``weights["modality"]``, ``(N, M)``: the second gate averaged over features. The softmax is computed in at least
    float32. A single modality is its own joint representation, and has no second gate.

    References:
        Ma et al. (2024), unimodal-level and multimodal-level gated fusion; the reduction is in the released code. On
        MELD that code freezes :math:`W` at the identity, which makes the gate a SiLU: ``unimodal_gate: silu``.
        Switching gates off is ours.
    """

    name = "hierarchical_gated"
    example_configs = ({}, {"unimodal_gate": "silu"}, {"unimodal_gate": "none", "multimodal_gate": False})

    class Config(ComponentConfig):
        unimodal_gate: Literal["learned", "silu", "none"] = Field(
            "learned",
            description="learned: a matrix per stream. silu: x times sigmoid(x), no matrix. none: streams as they are.",
        )
        multimodal_gate: bool = Field(
            True, description="true: a softmax over modalities, per feature. false: their plain mean."
        )

    def __init__(self, config: Config, dataset: DatasetInfo, streams: StreamSpec) -> None:
        super().__init__()
        self.into, width = {m: streams.sources(m) for m in streams.modalities}, streams.width
        self.gates = nn.ModuleDict(
            {
                f"{target}_from_{source}": _stream_gate(config.unimodal_gate, width)
                for target, sources in self.into.items()
                for source in sources
            }
        )
        self.reduce = nn.ModuleDict({m: nn.Linear(len(sources) * width, width) for m, sources in self.into.items()})
        choose = config.multimodal_gate and len(self.into) > 1
        self.choose = nn.Linear(width, width, bias=False) if choose else None
        self.spec = FusedSpec(width, dict.fromkeys(self.into, width))

    def forward(self, streams: Streams, context: Context) -> FusionOutput:
        h = self._reduced(streams)
        h_NMD = torch.stack(list(h.values()), dim=-2)
        gate_NMD = self._modality_gate(h_NMD)
        return FusionOutput(
            joint=(gate_NMD.to(h_NMD.dtype) * h_NMD).sum(dim=-2),
            by_modality=h,
            weights={"modality": gate_NMD.mean(dim=-1)},
        )

    def _reduced(self, streams: Streams) -> dict[str, Tensor]:
        """One representation of each modality, ``(N, D)``."""
        alike = len({len(sources) for sources in self.into.values()}) == 1
        if alike and prefers_groups(next(self.parameters()).device):
            return dict(zip(self.into, self.grouped(streams).unbind(0), strict=True))
        return {m: reduce(self._gated(m, streams)) for m, reduce in self.reduce.items()}

    def grouped(self, streams: Streams) -> Tensor:
        """The modalities' representations in operations on all of them at once, ``(M, N, D)``.

        Each modality must have the same number of streams into it.
        """
        x_PND = torch.stack([streams[Stream(m, source)] for m, sources in self.into.items() for source in sources])
        learned = [gate.score for gate in self.gates.values() if isinstance(gate, StreamGate)]
        gate = next(iter(self.gates.values()))
        gated_PND = torch.sigmoid(grouped_linear(x_PND, learned)) * x_PND if learned else gate(x_PND)
        gated_MSND = gated_PND.view(len(self.into), -1, *x_PND.shape[1:])
        reduce = [layer for layer in self.reduce.values() if isinstance(layer, nn.Linear)]
        return grouped_linear(gated_MSND.transpose(1, 2).flatten(2), reduce)

    def _gated(self, target: str, streams: Streams) -> Tensor:
        """The streams into one modality, gated, side by side: its own first."""
        gated = [self.gates[f"{target}_from_{source}"](streams[Stream(target, source)]) for source in self.into[target]]
        return torch.cat(gated, dim=-1)

    def _modality_gate(self, h_NMD: Tensor) -> Tensor:
        if self.choose is None:
            return torch.full_like(h_NMD, 1 / len(self.into), dtype=at_least_float32(h_NMD).dtype)
        return torch.softmax(at_least_float32(self.choose(h_NMD)), dim=-2)


def _stream_gate(which: str, width: int) -> nn.Module:
    if which == "learned":
        return StreamGate(width)
    return nn.SiLU() if which == "silu" else nn.Identity()


@hookimpl
def ercframe_components() -> list[type[Fusion]]:
    return [HierarchicalGatedFusion]
