"""openSMILE: statistics of pitch, loudness, timbre and voice quality over a turn."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ercframe import ComponentConfig, Extractor, NotAvailableError, Reading, UtteranceView, hookimpl, require
from ercframe_plugins.extractors.recording import clip_of
from ercframe_plugins.extractors.sound import pieces, read_sound

# Shape letters: N turns, P pieces of a turn, S samples, D features.

WIDTH = {"eGeMAPSv02": 88, "ComParE_2016": 6373}


class AudioOpensmile(Extractor):
    r"""openSMILE's functionals: 88 of eGeMAPSv02 or 6,373 of ComParE 2016, computed on the sound of a turn.

    Sound is brought to one channel at ``rate``. A turn of more than one and a half ``piece_seconds`` is cut in pieces
    :math:`p` of that length, the last of which lasts between half and one and a half of it; its features are

    .. math:: x = \frac{\sum_p S_p \, x_p}{\sum_p S_p}

    with :math:`S_p` samples each, so that a turn of any length needs little memory. Sound that is too short for a
    single value (about 0.06 s) is not available. Silence has features like any other sound.

    openSMILE is free for research, teaching and private use, not for commercial products: see the licence of
    audEERING GmbH that comes with the package ``opensmile``.

    References:
        Eyben, Wöllmer, Schuller: openSMILE. ACM Multimedia 2010. Eyben et al.: The Geneva minimalistic acoustic
        parameter set. IEEE Transactions on Affective Computing 7(2), 2016. Schuller et al.: The INTERSPEECH 2016
        computational paralinguistics challenge.
    """

    name = "audio_opensmile"
    modality = "audio"
    needs = ("audio",)
    version = "1"
    packages = ("opensmile", "av")
    licence = "openSMILE (audEERING): research and other non-commercial use only"

    class Config(ComponentConfig):
        feature_set: Literal["eGeMAPSv02", "ComParE_2016"] = Field(
            "eGeMAPSv02", description="eGeMAPSv02: 88 columns, made for emotion. ComParE_2016: 6,373 columns."
        )
        rate: int = Field(
            16_000, ge=8000, description="Samples per second that sound is brought to; values depend on it."
        )
        piece_seconds: float = Field(60.0, ge=1, description="Length of the pieces that a long turn is cut into.")

    def __init__(self, config: Config) -> None:
        self.config = config
        require("av", "audio", f"extractor '{self.name}'")
        self._opensmile: Any = require("opensmile", "audio", f"extractor '{self.name}'")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """openSMILE's names."""
        return tuple(self._smile.feature_names)

    @cached_property
    def _smile(self) -> Any:
        library = self._opensmile
        return library.Smile(library.FeatureSet[self.config.feature_set], library.FeatureLevel.Functionals)

    def read(self, turn: UtteranceView) -> Reading:
        """Decode the sound and compute everything: this is what runs in several processes."""
        config = self.config
        total, weighted_D = 0, np.zeros(WIDTH[config.feature_set])
        remark = ""
        for number, piece_S in enumerate(self._pieces(turn)):
            weighted_D += len(piece_S) * self._functionals(piece_S)
            total += len(piece_S)
            if number:
                remark = f"longer than {1.5 * config.piece_seconds:g} s: mean of pieces of {config.piece_seconds:g} s"
        if not total or np.isnan(weighted_D).all():
            raise NotAvailableError("too short for openSMILE")
        return Reading((weighted_D / total).astype(np.float32), remark)

    def extract(self, contents: Sequence[Any]) -> NDArray[Any]:
        return np.stack(contents)

    def _pieces(self, turn: UtteranceView) -> Iterator[NDArray[np.float32]]:
        sound = read_sound(clip_of(turn, "audio"), self.config.rate)
        return pieces(sound, round(self.config.piece_seconds * self.config.rate))

    def _functionals(self, piece_S: NDArray[np.float32]) -> NDArray[Any]:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Segment too short", UserWarning)  # told as not available
            table = self._smile.process_signal(piece_S, self.config.rate)
        values: NDArray[Any] = table.to_numpy(np.float64)[0]
        return values


@hookimpl
def ercframe_components() -> list[type[Extractor]]:
    return [AudioOpensmile]
