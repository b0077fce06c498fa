"""Slices of a split: groups of turns on which a score says more than the mean over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ercframe.data.dialogue import Dialogue
from ercframe.data.reader import Bundle
from ercframe.data.records import UNSCORED

# Shape letters: N turns of the split, scored or not.

LENGTHS = (5, 10, 20, 40)
"""Longest dialogue, in turns, of each group of lengths but the last."""
POSITIONS = (1, 5, 10, 20)
"""Last place in its dialogue, from 1, of each group of positions but the last."""
WORDS = (3, 8, 15)
"""Most words of each group of utterances with a text but the last."""
FEWEST = 20
"""A speaker with fewer scored turns is counted among the others."""
SpeakersAre = Literal["people", "sides"] | None


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
        words: how many it has, ``(N,)``: parts of its text between spaces; 0 where there is no text.
    """

    ids: tuple[tuple[str, str], ...]
    dialogue: NDArray[np.intp]
    position: NDArray[np.intp]
    length: NDArray[np.intp]
    label: NDArray[np.int16]
    speaker: tuple[str, ...]
    words: NDArray[np.intp]

    @classmethod
    def of(cls, bundle: Bundle, split: str, label: NDArray[np.int16]) -> Turns:
        """The turns of a bundle's split.

        Args:
            bundle: where they are.
            split: its name.
            label: the labels of all of the bundle's utterances, which a label map may have changed.
        """
        records = [bundle.record(int(i)) for i in bundle.dialogues(split)]
        dialogues = [(record["id"], [_read(turn) for turn in record["utterances"]]) for record in records]
        return cls._of_rows(dialogues, label[bundle.utterance_rows(split)])

    @classmethod
    def of_dialogues(cls, dialogues: Sequence[Dialogue]) -> Turns:
        """The turns that a model is shown of dialogues; unscored ones are among them where the dataset keeps them."""
        read = [(dialogue.id, dialogue.utterances, dialogue.labels.numpy()) for dialogue in dialogues]
        return cls._of_rows(
            [(name, [(turn.id, turn.speaker, turn.text) for turn in turns]) for name, turns, _ in read],
            np.concatenate([label for *_, label in read]).astype(np.int16),
        )

    @classmethod
    def _of_rows(
        cls, dialogues: Sequence[tuple[str, Sequence[tuple[str, str, str]]]], label: NDArray[np.int16]
    ) -> Turns:
        """Of dialogues with the id, speaker and text of each turn."""
        lengths = np.array([len(turns) for _, turns in dialogues], dtype=np.intp)
        rows = [(name, *turn) for name, turns in dialogues for turn in turns]
        return cls(
            ids=tuple((name, turn) for name, turn, *_ in rows),
            dialogue=np.repeat(np.arange(len(dialogues)), lengths),
            position=np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths),
            length=np.repeat(lengths, lengths),
            label=label,
            speaker=tuple(speaker for *_, speaker, _ in rows),
            words=np.array([len(text.split()) for *_, text in rows], dtype=np.intp),
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


def _read(turn: Mapping[str, str]) -> tuple[str, str, str]:
    return turn["id"], turn.get("speaker", ""), turn.get("text", "")


@dataclass(frozen=True)
class Slice:
    """Some turns of a split: what they are grouped by, the name of the group, and which they are, ``(N,)`` bool."""

    by: str
    name: str
    rows: NDArray[np.bool_]


def slices(turns: Turns, speakers: SpeakersAre = "people") -> Iterator[Slice]:
    """Every slice with a scored turn. Each kind of slice divides all scored turns among its groups.

    Args:
        turns: of the split.
        speakers: what the speakers' names say: who speaks, or which side does, such as F and M; None: not known, and
            they make no slices.
    """
    kinds = [*_by_emotion(turns), *_by_turn_before(turns), *_by_position(turns), *_by_length(turns)]
    if turns.words.any():
        kinds += _by_words(turns)
    if speakers:
        kinds += _by_speaker(turns, "speaker" if speakers == "people" else "side")
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


def _by_turn_before(turns: Turns) -> Iterator[Slice]:
    """Who spoke just before; an unknown speaker is taken for another one."""
    name = np.array(turns.speaker, dtype=object)
    same = np.zeros(len(name), dtype=np.bool_)
    same[1:] = (name[1:] == name[:-1]) & (name[1:] != "")
    first = turns.position == 0
    yield Slice("turn before", "same speaker", same & ~first)
    yield Slice("turn before", "another speaker", ~same & ~first)
    yield Slice("turn before", "none", first)


def _by_position(turns: Turns) -> Iterator[Slice]:
    yield from _grouped("position", turns.position + 1, POSITIONS, "first turn", "turns {} to {}", "turn {} and later")


def _by_length(turns: Turns) -> Iterator[Slice]:
    yield from _grouped("dialogue length", turns.length, LENGTHS, "{} turn", "{} to {} turns", "{} turns and more")


def _by_words(turns: Turns) -> Iterator[Slice]:
    yield from _grouped("utterance length", turns.words, WORDS, "{} word", "{} to {} words", "{} words and more")
    yield Slice("utterance length", "no text", turns.words == 0)


def _grouped(
    by: str, number: NDArray[np.intp], edges: Sequence[int], one: str, several: str, more: str
) -> Iterator[Slice]:
    """Groups of a number from 1 on, each up to an edge, and what is above the last."""
    for low, high in zip((0, *edges), edges, strict=False):
        name = one.format(high) if high == low + 1 else several.format(low + 1, high)
        yield Slice(by, name, (number > low) & (number <= high))
    yield Slice(by, more.format(edges[-1] + 1), number > edges[-1])


def _by_speaker(turns: Turns, by: str) -> Iterator[Slice]:
    """Those with at least :data:`FEWEST` scored turns, the most first, then the others together."""
    names = np.array(turns.speaker, dtype=object)
    counts = Counter(names[turns.label != UNSCORED].tolist())
    shown = [name for name, count in counts.most_common() if count >= FEWEST and name]
    for name in shown:
        yield Slice(by, name, names == name)
    others = np.array([name not in set(shown) for name in names], dtype=np.bool_)
    yield Slice(by, "(others)", others)
