"""Sequences of dialogues that are read when they are asked for: a corpus may not fit into memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import overload

from torch import Tensor

from ercframe.data.dialogue import Dialogue

# Shape letters: L utterances of one dialogue.


class Dialogues(Sequence[Dialogue]):
    """Dialogues in order, each read when it is asked for; their labels can be had without their features.

    A dataset may return one instead of a list from ``split``: what only needs labels, such as counting the emotions
    for class weights, then reads nothing else.
    """

    @abstractmethod
    def read(self, index: int) -> Dialogue:
        """Read one dialogue; ``index`` is from 0 to the length less 1."""

    @abstractmethod
    def labels(self, index: int) -> Tensor:
        """The labels of one dialogue, ``(L,)``, as in :class:`Dialogue`, without its features."""

    def outline(self, index: int) -> Dialogue:
        """One dialogue with no modality: who, what group, what words and labels; best without reading features."""
        return _without_features(self.read(index))

    @overload
    def __getitem__(self, item: int) -> Dialogue: ...
    @overload
    def __getitem__(self, item: slice) -> Dialogues: ...
    def __getitem__(self, item: int | slice) -> Dialogue | Dialogues:
        chosen = range(len(self))[item]  # raises IndexError, and counts from the end, as a list does
        return self.read(chosen) if isinstance(chosen, int) else Selected(self, chosen)


class Selected(Dialogues):
    """Some dialogues of a sequence, by their indices there."""

    def __init__(self, dialogues: Sequence[Dialogue], indices: Sequence[int]) -> None:
        self._dialogues, self._indices = dialogues, indices

    def __len__(self) -> int:
        return len(self._indices)

    def read(self, index: int) -> Dialogue:
        """Read one dialogue."""
        return self._dialogues[self._indices[index]]

    def labels(self, index: int) -> Tensor:
        """The labels of one dialogue, ``(L,)``."""
        return labels_of(self._dialogues, self._indices[index])

    def outline(self, index: int) -> Dialogue:
        """One dialogue without its features."""
        return outline_of(self._dialogues, self._indices[index])


class Joined(Dialogues):
    """The dialogues of one sequence, then those of another."""

    def __init__(self, first: Sequence[Dialogue], second: Sequence[Dialogue]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def read(self, index: int) -> Dialogue:
        """Read one dialogue."""
        part, index = self._where(index)
        return part[index]

    def labels(self, index: int) -> Tensor:
        """The labels of one dialogue, ``(L,)``."""
        return labels_of(*self._where(index))

    def outline(self, index: int) -> Dialogue:
        """One dialogue without its features."""
        return outline_of(*self._where(index))

    def _where(self, index: int) -> tuple[Sequence[Dialogue], int]:
        size = len(self._first)
        return (self._first, index) if index < size else (self._second, index - size)


def labels_of(dialogues: Sequence[Dialogue], index: int) -> Tensor:
    """The labels of one dialogue, ``(L,)``, without its features where the sequence can do that."""
    return dialogues.labels(index) if isinstance(dialogues, Dialogues) else dialogues[index].labels


def all_labels(dialogues: Sequence[Dialogue]) -> Iterator[Tensor]:
    """The labels of every dialogue, ``(L,)`` each."""
    return (labels_of(dialogues, index) for index in range(len(dialogues)))


def outline_of(dialogues: Sequence[Dialogue], index: int) -> Dialogue:
    """One dialogue with no modality, without reading features where the sequence can do that."""
    return dialogues.outline(index) if isinstance(dialogues, Dialogues) else _without_features(dialogues[index])


def outlines(dialogues: Sequence[Dialogue]) -> Iterator[Dialogue]:
    """Every dialogue with no modality."""
    return (outline_of(dialogues, index) for index in range(len(dialogues)))


def _without_features(dialogue: Dialogue) -> Dialogue:
    return replace(dialogue, features={}, available={})
