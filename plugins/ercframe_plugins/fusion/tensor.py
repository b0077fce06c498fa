"""Tensor fusion: every product of one feature from each modality."""

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
    hookimpl,
)

# Shape letters: N utterances, D features, F features of the product.


def outer_product(x_ND: Tensor, y_ND: Tensor) -> Tensor:
    """Every product of a feature of ``x`` with a feature of ``y``, row by row, flat; ``x``'s features vary slowest."""
    return (x_ND[:, :, None] * y_ND[:, None, :]).flatten(1)


class TensorFusion(Fusion):
    r"""Multiply the modalities with each other, feature by feature.

    .. math:: z_m = W_m x_m + b_m, \qquad h = \bigotimes_m \begin{bmatrix} 1 \\ z_m \end{bmatrix}

    The 1 keeps the products of fewer modalities among those of all: :math:`h` holds each :math:`z_m`, each pair and
    so on up to all M together. Reads each modality's own stream, of any width. Returns the joint representation,
    ``(N, (subspace + 1) ** M)``, and no representation per modality.

    Raises:
        ValueError: the product would be wider than ``max_width``.

    References:
        Zadeh et al. (2017), Tensor Fusion Network for Multimodal Sentiment Analysis, section 4.2. There, deep
        subnetworks make the modalities narrow enough; here it is one linear map each, since encoders come before.
    """

    name = "tensor"
    example_configs = ({"subspace": 2},)

    class Config(ComponentConfig):
        subspace: int = Field(8, ge=1, description="Width that each modality is reduced to before the product.")
        max_width: int = Field(
            10_000,
            ge=1,
            description="The widest product allowed; it grows as (subspace + 1) to the number of modalities.",
        )

    def __init__(self, config: Config, dataset: DatasetInfo, streams: StreamSpec) -> None:
        super().__init__()
        widths = streams.own_widths()
        product = (config.subspace + 1) ** len(widths)
        if product > config.max_width:
            raise ValueError(
                f"the product of {len(widths)} modalities must have at most max_width={config.max_width} features "
                f"(got {config.subspace + 1}^{len(widths)} = {product}); lower subspace"
            )
        self.reduce = nn.ModuleDict({m: nn.Linear(width, config.subspace) for m, width in widths.items()})
        self.spec = FusedSpec(product)

    def forward(self, streams: Streams, context: Context) -> FusionOutput:
        reduced = [reduce(streams.intra(m)) for m, reduce in self.reduce.items()]
        joint_NF = torch.ones_like(reduced[0][:, :1])
        for z_ND in reduced:
            joint_NF = outer_product(joint_NF, nn.functional.pad(z_ND, (1, 0), value=1.0))
        return FusionOutput(joint=joint_NF)


@hookimpl
def ercframe_components() -> list[type[Fusion]]:
    return [TensorFusion]
