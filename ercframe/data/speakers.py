"""What a speaker's name means in a corpus, and the ids that a model sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data.records import DialogueRecord

# Shape letters: N utterances of the corpus, L of one dialogue.

NEARLY_ALL = 0.9
"""Share of the dialogues in which a name must occur to be a side rather than a person."""
NOBODY = -1
"""Index of a speaker whose name is empty."""


def names_sides(dialogues: Sequence[DialogueRecord]) -> bool:
    """Whether names mark sides of a conversation, such as F and M, rather than people.

    They do when every name occurs in nearly every dialogue: people come and go.
    """
    heard = Counter(name for d in dialogues for name in {u.speaker for u in d.utterances})
    return bool(heard) and min(heard.values()) >= NEARLY_ALL * len(dialogues)


def numbered(names: Iterable[str]) -> tuple[list[int], list[str]]:
    """Index of each name, and the distinct names in order of first appearance; an empty name has :data:`NOBODY`."""
    index: dict[str, int] = {"": NOBODY}
    ids = [index.setdefault(name, len(index) - 1) for name in names]
    return ids, [name for name in index if name]


def by_appearance(speaker_L: NDArray[Any]) -> NDArray[np.int64]:
    """Ids counting the speakers of one dialogue in order of first appearance, ``(L,)``; :data:`NOBODY` stays."""
    distinct, first, inverse = np.unique(speaker_L, return_index=True, return_inverse=True)
    real = distinct != NOBODY
    rank = np.full(len(distinct), NOBODY)
    rank[np.flatnonzero(real)[np.argsort(first[real])]] = np.arange(real.sum())
    return rank[inverse].astype(np.int64)


def most_at_once(speaker_N: NDArray[Any], offsets: NDArray[Any]) -> int:
    """The largest number of distinct speakers in one dialogue."""
    dialogue_N = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    pairs = np.unique(np.stack([dialogue_N, speaker_N])[:, speaker_N != NOBODY], axis=1)
    return int(np.bincount(pairs[0]).max()) if pairs.size else 0
