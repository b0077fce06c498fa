"""Speech models of Hugging Face, such as wav2vec 2.0, HuBERT and WavLM, pooled over a turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ercframe import (
    ComponentConfig,
    Extractor,
    InputError,
    NotAvailableError,
    Reading,
    UtteranceView,
    hookimpl,
    require,
)
from ercframe_plugins.extractors.pool import POOLING_HELP, Pool, Pooling
from ercframe_plugins.extractors.pretrained import Pretrained
from ercframe_plugins.extractors.recording import Clip, clip_of
from ercframe_plugins.extractors.sound import Samples, pieces, read_sound

# Shape letters: N turns, S samples, F frames, D features.


class AudioTransformers(Extractor):
    r"""Hidden states of a speech model that reads samples, averaged over layers and pooled over a turn.

    Sound is brought to one channel at the model's rate. Every turn goes through the model alone, without padding, so
    its values do not depend on others. One of more than one and a half ``piece_seconds`` is cut in pieces of that
    length (the last lasts between half and one and a half of it), which the model hears one by one; the frames of all
    of them are pooled together. Where the model's own settings say so, each piece is brought to mean 0 and variance 1
    before. Sound shorter than the model's first frame (400 samples in wav2vec 2.0, 25 ms) is not available.

    References:
        Baevski et al.: wav2vec 2.0. NeurIPS 2020. Hsu et al.: HuBERT. IEEE/ACM TASLP 29, 2021. Chen et al.: WavLM. IEEE
        Journal of Selected Topics in Signal Processing 16(6), 2022.
    """

    name = "audio_transformers"
    modality = "audio"
    needs = ("audio",)
    version = "1"
    packages = ("transformers", "torch", "av")
    licence = "that of the chosen model"
    on_device = True
    example_configs = ()  # needs a model

    class Config(ComponentConfig):
        model: str = Field(min_length=1, description="Id on the Hugging Face Hub, or a folder with a speech model.")
        revision: str | None = Field(None, description="Commit, branch or tag on the Hub; null: its main branch.")
        layers: tuple[int, ...] = Field(
            (-1,),
            min_length=1,
            description="Hidden states that are averaged: 0 enters the first transformer layer, -1 leaves the last.",
        )
        pooling: Pooling = Field("mean", description=POOLING_HELP)
        piece_seconds: float = Field(30.0, ge=1, description="Length of the pieces that a long turn is cut into.")

    def __init__(self, config: Config) -> None:
        self.config = config
        require("av", "audio", f"extractor '{self.name}'")
        self._pretrained = Pretrained(config.model, config.revision, "audio", f"extractor '{self.name}'")

    @cached_property
    def revision(self) -> str:
        return self._pretrained.revision

    def load(self, device: str) -> None:
        self._device = device
        self._model = self._pretrained.model(unused=("masked_spec_embed",)).to(device)
        count = self._pretrained.config.num_hidden_layers + 1
        if wrong := [layer for layer in self.config.layers if not -count <= layer < count]:
            got = ", ".join(map(str, wrong))
            raise InputError(f"extractor '{self.name}': layers must be from {-count} to {count - 1} (got {got})")

    def read(self, turn: UtteranceView) -> Reading:
        """The samples of a turn; of a long one only its clip, which is decoded again piece by piece."""
        clip = clip_of(turn, "audio")
        sound = iter(self._pieces(clip))
        first_S = next(sound, None)
        if first_S is None or len(first_S) < self._shortest:
            raise NotAvailableError("too short for the model")
        if not sum(1 for _ in sound):  # the rest is decoded now, so that damage is found here
            return Reading(first_S)
        seconds = self.config.piece_seconds
        return Reading(clip, f"longer than {1.5 * seconds:g} s: heard in pieces of {seconds:g} s")

    def extract(self, contents: Sequence[Any]) -> NDArray[Any]:
        return np.stack([self._row(self._pieces(x) if isinstance(x, Clip) else [x]) for x in contents])

    def _pieces(self, clip: Clip) -> Iterable[Samples]:
        rate = self._processor.sampling_rate
        return pieces(read_sound(clip, rate), round(self.config.piece_seconds * rate))

    @cached_property
    def _processor(self) -> Any:
        return self._pretrained.sound_settings()

    @cached_property
    def _shortest(self) -> int:
        """Samples of the first frame of the convolutions, all of which have no padding."""
        config, samples = self._pretrained.config, 1
        for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    @torch.inference_mode()
    def _row(self, sound: Iterable[Samples]) -> NDArray[np.float32]:
        pool = Pool(self.config.pooling)
        for piece_S in sound:
            heard = self._processor(piece_S, sampling_rate=self._processor.sampling_rate, return_tensors="pt")
            states = self._model(heard.input_values.to(self._device), output_hidden_states=True).hidden_states
            x_FD = torch.stack([states[layer][0] for layer in self.config.layers]).mean(dim=0)
            pool.add(x_FD.cpu().numpy())
        return pool.row()


@hookimpl
def ercframe_components() -> list[type[Extractor]]:
    return [AudioTransformers]
