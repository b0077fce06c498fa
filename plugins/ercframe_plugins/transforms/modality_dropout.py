"""Modality dropout: train with modalities missing, so that a missing one does less harm."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ercframe import Batch, ComponentConfig, DatasetInfo, Transform, hookimpl

# Shape letters: B dialogues, N utterances, M modalities.

Rate = Annotated[float, Field(ge=0, le=1)]


class ModalityDropout(Transform):
    """Hide whole modalities of utterances or of dialogues at random while training.

    Each modality is hidden with its own rate, independently of the others. Where that would hide all that an utterance
    has, one of its modalities, drawn at random, is kept. A hidden row looks as if the corpus lacked it: its features
    are zeros and ``context.available`` is False; ``batch.hidden`` says that it was hidden.

    Raises:
        ValueError: ``rates`` names a modality that the data does not have.

    References:
        Neverova et al. (2016), *ModDrop: adaptive multi-modal gesture recognition*. Keeping one modality, the choice
        between utterance and dialogue, and telling the model what is missing are ours.
    """

    name = "modality_dropout"
    example_configs = ({}, {"rates": {"text": 0.9}, "per": "dialogue"}, {"rates": 1.0})

    class Config(ComponentConfig):
        rates: Rate | Mapping[str, Rate] = Field(
            0.2, description="How often a modality is hidden: one rate for all, or one per modality (others: never)."
        )
        per: Literal["utterance", "dialogue"] = Field(
            "utterance", description="Whether to draw for every utterance or once for a whole dialogue."
        )

    def __init__(self, config: Config, dataset: DatasetInfo) -> None:
        self.rates, self.per = dataset.for_each_modality("rates", config.rates), config.per

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        has_NM = torch.stack([batch.context.available[m] for m in self.rates], dim=-1)
        hidden_NM = has_NM & self._drawn(batch, generator)
        hidden_NM &= ~(self._kept(has_NM, batch, generator) & (hidden_NM == has_NM).all(dim=-1, keepdim=True))
        hidden = dict(zip(self.rates, hidden_NM.unbind(dim=-1), strict=True))
        available = {m: has & ~hidden[m] for m, has in batch.context.available.items()}
        return replace(
            batch,
            features={m: x.masked_fill(hidden[m][:, None], 0) for m, x in batch.features.items()},
            context=replace(batch.context, available=available),
            hidden={m: rows | batch.hidden[m] if m in batch.hidden else rows for m, rows in hidden.items()},
        )

    def _drawn(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Which modalities the rates hide, ``(N, M)``."""
        return self._random(batch, generator) < torch.tensor(list(self.rates.values()))

    def _kept(self, has_NM: Tensor, batch: Batch, generator: torch.Generator) -> Tensor:
        """One modality of each utterance, drawn from those that it has, ``(N, M)``."""
        order_NM = self._random(batch, generator).masked_fill(~has_NM, -1)
        return torch.zeros_like(has_NM).scatter(-1, order_NM.argmax(dim=-1, keepdim=True), True)

    def _random(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Uniform numbers from 0 to below 1, ``(N, M)``, the same all over a dialogue where the setting says so."""
        layout = batch.context.layout
        rows = layout.utterances if self.per == "utterance" else layout.dialogues
        drawn = torch.rand(rows, len(self.rates), generator=generator)
        return drawn if self.per == "utterance" else drawn[layout.dialogue]


@hookimpl
def ercframe_components() -> list[type[Transform]]:
    return [ModalityDropout]
