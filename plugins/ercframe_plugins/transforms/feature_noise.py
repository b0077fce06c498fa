"""Feature noise: train with features that are not exact, so that noise does less harm."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field

from ercframe import Batch, ComponentConfig, DatasetInfo, Transform, hookimpl

# Shape letters: N utterances, D features of a modality.

Level = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class FeatureNoise(Transform):
    r"""Add Gaussian noise to the features of utterances while training.

    .. math:: x'_{nd} = x_{nd} + \ell_m \, \varepsilon_{nd}, \qquad \varepsilon_{nd} \sim \mathcal{N}(0, 1)

    with the level :math:`\ell_m` of the modality. Features are standardised when they are loaded, so their deviation is
    1 and a level is a share of it. Rows that are not available, or that another transform hid, stay zeros.

    Raises:
        ValueError: ``levels`` names a modality that the data does not have.

    References:
        Bishop (1995), *Training with noise is equivalent to Tikhonov regularization*.
    """

    name = "feature_noise"
    example_configs = ({}, {"levels": {"text": 2.0}}, {"levels": 0.0})

    class Config(ComponentConfig):
        levels: Level | Mapping[str, Level] = Field(
            0.1,
            description="Deviation of the noise as a share of each feature's own: one for all modalities, or one per "
            "modality (others: none).",
        )

    def __init__(self, config: Config, dataset: DatasetInfo) -> None:
        self.levels = dataset.for_each_modality("levels", config.levels)

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        features = dict(batch.features)
        for m, level in self.levels.items():
            if level:
                x_ND, has_N = features[m], batch.context.available[m]
                noise_ND = torch.randn(x_ND.shape, generator=generator, dtype=x_ND.dtype)
                features[m] = x_ND + level * noise_ND * has_N[:, None]
        return replace(batch, features=features)


@hookimpl
def ercframe_components() -> list[type[Transform]]:
    return [FeatureNoise]
