"""Label maps: other emotions made of a corpus's own, such as excited counted as happy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data.records import UNSCORED, Corpus, DialogueRecord
from ercframe.errors import InputError, Problem, nearest

# Shape letters: C labels of the corpus, N utterances.


@dataclass(frozen=True)
class Relabelling:
    """What a label map makes of a corpus.

    Attributes:
        labels: the new names, in the order in which the map first names them.
        index: new label of each old one, ``(C,)``; -1 where it becomes context only.
    """

    labels: tuple[str, ...]
    index: NDArray[np.int16]

    def apply(self, labels_N: NDArray[Any]) -> NDArray[np.int16]:
        """New labels for old ones, ``(N,)``; what was not scored stays so."""
        new_N: NDArray[np.int16] = np.append(self.index, np.int16(UNSCORED))[labels_N]  # -1 takes the last
        return new_N


def relabelling(
    mapping: Mapping[str, str | None], labels: Sequence[str], counts: Sequence[int], source: str
) -> Relabelling:
    """Check a map against a corpus.

    Args:
        mapping: old name to new name; None makes it context only.
        labels: names of the corpus.
        counts: scored utterances of each.
        source: what to call the map in an error.

    Raises:
        InputError: it names what the corpus does not have, leaves out a label, or makes one that nobody shows.
    """
    problems = list(_problems(mapping, labels, counts))
    if problems:
        title = f"label map {source} does not fit the corpus, whose labels are {', '.join(labels)}"
        help = "A label map has a line OLD: NEW for every label, OLD: null for context only."
        raise InputError(title, problems, help)
    names = tuple(dict.fromkeys(new for new in mapping.values() if new is not None))
    index = [UNSCORED if mapping[old] is None else names.index(str(mapping[old])) for old in labels]
    return Relabelling(names, np.array(index, dtype=np.int16))


def _problems(mapping: Mapping[str, str | None], labels: Sequence[str], counts: Sequence[int]) -> Iterator[Problem]:
    for old in mapping:
        if old not in labels:
            yield Problem("", old, f"must be a label of the corpus{nearest(old, labels)}")
    for old in labels:
        if old not in mapping:
            yield Problem("", old, f"must be mapped to a label, or to null{nearest(old, set(mapping) - set(labels))}")
    of = dict(zip(labels, counts, strict=True))
    new = dict.fromkeys(name for name in mapping.values() if name is not None)
    if not new:
        yield Problem("", "", "must keep at least one label (got null for all)")
    for name in new:
        made_of = [old for old, target in mapping.items() if target == name and old in of]
        if made_of and not any(of[old] for old in made_of):
            yield Problem("", name, f"must have a scored utterance (got none for {', '.join(made_of)})")


def relabelled(corpus: Corpus, mapping: Mapping[str, str | None], source: str) -> Corpus:
    """The corpus with the labels of a map, which it keeps.

    Raises:
        InputError: the map does not fit; see :func:`relabelling`.
    """
    labels_N = np.array([u.label for d in corpus.dialogues for u in d.utterances], dtype=np.int64)
    counts = np.bincount(labels_N[labels_N >= 0], minlength=len(corpus.labels)).tolist()
    new = relabelling(mapping, corpus.labels, counts, source)
    return replace(
        corpus,
        labels=new.labels,
        dialogues=tuple(_relabel(dialogue, new) for dialogue in corpus.dialogues),
        label_map=dict(mapping),
    )


def _relabel(dialogue: DialogueRecord, new: Relabelling) -> DialogueRecord:
    labels = new.apply(np.array([u.label for u in dialogue.utterances], dtype=np.int64)).tolist()
    utterances = (replace(u, label=label) for u, label in zip(dialogue.utterances, labels, strict=True))
    return replace(dialogue, utterances=tuple(utterances))
