"""Timing: how long a turn is, how it follows the one before, how fast it is spoken."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe import ComponentConfig, Extractor, Reading, Utterance, UtteranceView, hookimpl

# Shape letters: N turns, D features.


class Timing(Extractor):
    """Eight numbers from start, end, speaker and words of a turn and of the one before it.

    ===============  =======  =============================================================
    column           unit     value
    ===============  =======  =============================================================
    duration         s        from the start to the end
    gap              s        from the end of the turn before, 0 where both overlap
    overlap          s        what both turns share
    words            1        pieces between white space
    word_rate        1/s      words per second
    character_rate   1/s      characters per second, white space left out
    same_speaker     0 or 1   whether the speaker is that of the turn before
    position         1        number of the turn in its dialogue, from 0
    ===============  =======  =============================================================

    What cannot be known is NaN: gap, overlap and same_speaker of a first turn, rates of a turn without a duration or
    without text. A turn without start or end is not available.
    """

    name = "timing"
    modality = "timing"
    needs = ("times",)
    version = "1"
    batch_size = 1024
    columns = ("duration", "gap", "overlap", "words", "word_rate", "character_rate", "same_speaker", "position")

    def __init__(self, config: ComponentConfig) -> None:
        pass

    def read(self, utterance: UtteranceView) -> Reading:
        """The eight numbers of an utterance."""
        start, end = _times(utterance)
        duration, words = end - start, utterance.text.split()
        remark = "" if duration > 0 else "without a duration: rates are unknown"
        rate = 1 / duration if duration > 0 and words else nan
        gap, overlap = _against(utterance.previous, start, end)
        numbers = (
            duration,
            gap,
            overlap,
            len(words) if words else nan,
            len(words) * rate,
            sum(map(len, words)) * rate,
            _same_speaker(utterance),
            utterance.position,
        )
        return Reading(numbers, remark)

    def extract(self, contents: Sequence[Any]) -> NDArray[Any]:
        return np.array(contents, dtype=np.float32)


def _times(utterance: Utterance) -> tuple[float, float]:
    """Start and end, NaN where unknown."""
    start, end = utterance.start, utterance.end
    return nan if start is None else start, nan if end is None else end


def _against(previous: Utterance | None, start: float, end: float) -> tuple[float, float]:
    """Gap to the turn before and overlap with it; NaN where its times are not known."""
    before = _times(previous) if previous else (nan, nan)
    if any(time != time for time in before):
        return nan, nan
    return max(0.0, start - before[1]), max(0.0, min(end, before[1]) - max(start, before[0]))


def _same_speaker(turn: UtteranceView) -> float:
    if not turn.previous or not turn.speaker or not turn.previous.speaker:
        return nan
    return float(turn.speaker == turn.previous.speaker)


@hookimpl
def ercframe_components() -> list[type[Extractor]]:
    return [Timing]
