"""What a model is shown when it is evaluated: some modalities hidden, some features with noise."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import torch
from torch import Tensor

from ercframe.data.dialogue import Dialogue

# Shape letters: L utterances of one dialogue, D features.


@dataclass(frozen=True)
class Condition:
    """How shown conversations differ from what the data has; without arguments, not at all.

    Attributes:
        hidden: modality and the probability, above 0, with which each utterance's is hidden; 1 hides it everywhere.
        noise: modality and the deviation, above 0, of Gaussian noise, as a share of each feature's own.
    """

    hidden: tuple[tuple[str, float], ...] = ()
    noise: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, hidden: Mapping[str, float] | None = None, noise: Mapping[str, float] | None = None) -> Condition:
        """The condition with these numbers; those that are 0 change nothing, nor does the order."""
        return cls(_above_zero(hidden or {}), _above_zero(noise or {}))


class Shown(Sequence[Dialogue]):
    """Dialogues under a condition, changed as they are asked for.

    What is drawn depends on ``seed``, the dialogue's id and the modality alone. So every model is shown the same, what
    is hidden at a rate stays hidden at a higher one, and louder noise is the same noise, louder: differences along a
    curve, and between models, come from less chance than with new draws.

    Args:
        dialogues: as the dataset has them.
        condition: what to change.
        seed: of the draws.
    """

    def __init__(self, dialogues: Sequence[Dialogue], condition: Condition, seed: int = 0) -> None:
        self._dialogues, self._condition, self._seed = dialogues, condition, seed

    def __len__(self) -> int:
        return len(self._dialogues)

    @overload
    def __getitem__(self, item: int) -> Dialogue: ...
    @overload
    def __getitem__(self, item: slice) -> Shown: ...
    def __getitem__(self, item: int | slice) -> Dialogue | Shown:
        if isinstance(item, slice):
            return Shown(self._dialogues[item], self._condition, self._seed)
        return self._changed(self._dialogues[item])

    def _changed(self, dialogue: Dialogue) -> Dialogue:
        features, available = dict(dialogue.features), dict(dialogue.available)
        for modality, level in self._condition.noise:
            x_LD, has_L = features[modality], available[modality]
            noise_LD = torch.randn(x_LD.shape, generator=self._generator("noise", modality, dialogue), dtype=x_LD.dtype)
            features[modality] = x_LD + level * noise_LD * has_L[:, None]
        for modality, rate in self._condition.hidden:
            hidden_L = self._uniform(modality, dialogue) < rate
            features[modality] = features[modality].masked_fill(hidden_L[:, None], 0)
            available[modality] = available[modality] & ~hidden_L
        return replace(dialogue, features=features, available=available)

    def _uniform(self, modality: str, dialogue: Dialogue) -> Tensor:
        """Numbers from 0 to below 1, ``(L,)``."""
        return torch.rand(len(dialogue), generator=self._generator("hidden", modality, dialogue))

    def _generator(self, what: str, modality: str, dialogue: Dialogue) -> torch.Generator:
        named = "\0".join((what, str(self._seed), modality, dialogue.id))
        return torch.Generator().manual_seed(zlib.crc32(named.encode()))


def _above_zero(numbers: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted((name, number) for name, number in numbers.items() if number))
