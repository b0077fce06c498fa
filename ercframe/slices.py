"""Slices of a split: groups of turns on which a score says more than the mean over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ercframe.data.reader import Bundle
from ercframe.data.records import UNSCORED

# Shape letters: N turns of the split, scored or not.

LENGTHS = (5, 10, 20, 40)
"""Longest dialogue, in turns, of each group of lengths but the last."""
FEWEST = 20
"""A speaker with fewer scored turns is counted among the others."""


@dataclass(frozen=True)
class Turns:
    """The turns of a split in order, scored or not.

    Attributes:
        ids: dialogue and utterance of each.
        dialogue: number of its dialogue in the split, ``(N,)``.
        position: its place in the dialogue, from 0, ``(N,)``.
        length: turns of its dialogue, ``(N,)``.
        label: its emotion, ``(N,)``; -1 where it is not scored.
        speaker: who speaks, by name; may be empty.
    """

    ids: tuple[tuple[str, str], ...]
    dialogue: NDArray[np.intp]
    position: NDArray[np.intp]
    length: NDArray[np.intp]
    label: NDArray[np.int16]
    speaker: tuple[str, ...]

    @classmethod
    def of(cls, bundle: Bundle, split: str, label: NDArray[np.int16]) -> Turns:
        """The turns of a bundle's split.

        Args:
            bundle: where they are.
            split: its name.
            label: the labels of all of the bundle's utterances, which a label map may have changed.
        """
        dialogues = bundle.dialogues(split)
        records = [bundle.record(int(i)) for i in dialogues]
        lengths = np.array([len(record["utterances"]) for record in records], dtype=np.intp)
        return cls(
            ids=tuple((record["id"], turn["id"]) for record in records for turn in record["utterances"]),
            dialogue=np.repeat(np.arange(len(records)), lengths),
            position=np.concatenate([np.arange(length) for length in lengths] or [np.zeros(0, dtype=np.intp)]),
            length=np.repeat(lengths, lengths),
            label=label[bundle.utterance_rows(split)],
            speaker=tuple(str(turn.get("speaker", "")) for record in records for turn in record["utterances"]),
        )

    def before(self) -> NDArray[np.int16]:
        """The emotion of the same speaker's scored turn before, in the same dialogue, ``(N,)``; -1 for none."""
        last: dict[tuple[int, str], int] = {}
        found = np.full(len(self.label), UNSCORED, dtype=np.int16)
        for n, key in enumerate(zip(self.dialogue.tolist(), self.speaker, strict=True)):
            found[n] = last.get(key, UNSCORED)
            if self.label[n] != UNSCORED and key[1]:  # an unknown speaker may be another one each time
                last[key] = int(self.label[n])
        return found


@dataclass(frozen=True)
class Slice:
    """Some turns of a split: what they are grouped by, the name of the group, and which they are, ``(N,)`` bool."""

    by: str
    name: str
    rows: NDArray[np.bool_]


def slices(turns: Turns, speakers: bool = True) -> Iterator[Slice]:
    """Every slice with a scored turn. Each kind of slice divides all scored turns among its groups.

    Args:
        turns: of the split.
        speakers: whether speaker names say who speaks; names of sides, such as F and M, do not.
    """
    kinds = [*_by_emotion(turns), *_by_position(turns), *_by_length(turns)]
    if speakers:
        kinds += _by_speaker(turns)
    scored = turns.label != UNSCORED
    for one in kinds:
        if (one.rows & scored).any():
            yield Slice(one.by, one.name, one.rows & scored)


def _by_emotion(turns: Turns) -> Iterator[Slice]:
    """Whether a speaker feels as at their last scored turn."""
    before = turns.before()
    yield Slice("emotion", "shift", (before != UNSCORED) & (before != turns.label))
    yield Slice("emotion", "stable", (before != UNSCORED) & (before == turns.label))
    yield Slice("emotion", "speaker's first", before == UNSCORED)


def _by_position(turns: Turns) -> Iterator[Slice]:
    yield Slice("position", "first turn", turns.position == 0)
    yield Slice("position", "later turns", turns.position > 0)


def _by_length(turns: Turns) -> Iterator[Slice]:
    edges = (0, *LENGTHS)
    for low, high in zip(edges, LENGTHS, strict=False):
        yield Slice("dialogue length", f"{low + 1} to {high} turns", (turns.length > low) & (turns.length <= high))
    yield Slice("dialogue length", f"over {LENGTHS[-1]} turns", turns.length > LENGTHS[-1])


def _by_speaker(turns: Turns) -> Iterator[Slice]:
    """Those with at least :data:`FEWEST` scored turns, the most first, then the others together."""
    names = np.array(turns.speaker, dtype=object)
    counts = Counter(names[turns.label != UNSCORED].tolist())
    shown = [name for name, count in counts.most_common() if count >= FEWEST and name]
    for name in shown:
        yield Slice("speaker", name, names == name)
    others = np.array([name not in set(shown) for name in names], dtype=np.bool_)
    yield Slice("speaker", "(others)", others)
