"""What is computed of the turns of a conversation: features, then what a model says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shape letters: L utterances of one dialogue, D features.


@dataclass(frozen=True)
class Prediction:
    """What a model, or the mean of several, says of one turn.

    Attributes:
        dialogue: id of the dialogue.
        utterance: id of the turn.
        speaker: who speaks.
        text: what is said.
        emotion: the most probable one.
        probabilities: of every emotion.
        calibrated: whether a temperature fitted on dev was applied to them.
        seeds: of the models.
        modality_weights: share of each modality, where the model says so; they add up to 1.
        missing: for each modality that the turn lacks, why.
    """

    dialogue: str
    utterance: str
    speaker: str
    text: str
    emotion: str
    probabilities: Mapping[str, float]
    calibrated: bool
    seeds: tuple[int, ...]
    modality_weights: Mapping[str, float]
    missing: Mapping[str, str]

    def row(self) -> dict[str, Any]:
        """As a line of JSON, with the keys of a run's ``predictions.jsonl`` where it has them, too.

        ``seeds`` is there where there are several.
        """
        optional = {
            "seeds": list(self.seeds) if len(self.seeds) > 1 else [],
            "text": self.text,
            "modality_weights": {name: round(w, 6) for name, w in self.modality_weights.items()},
            "missing": dict(self.missing),
        }
        return {
            "dialogue": self.dialogue,
            "utterance": self.utterance,
            "speaker": self.speaker,
            "prediction": self.emotion,
            "probabilities": {name: round(p, 6) for name, p in self.probabilities.items()},
            "calibrated": self.calibrated,
            **{key: value for key, value in optional.items() if value},
        }


@dataclass(frozen=True)
class Gathered:
    """Raw features of some turns of a conversation.

    Attributes:
        values: ``(L, D)`` for each modality; NaN where unknown.
        missing: for each turn and modality that it lacks, why.
    """

    values: Mapping[str, NDArray[np.float32]]
    missing: Sequence[Mapping[str, str]]

    def __add__(self, later: Gathered) -> Gathered:
        """These turns, then those."""
        values = {name: np.concatenate([x_LD, later.values[name]]) for name, x_LD in self.values.items()}
        return Gathered(values, [*self.missing, *later.missing])
