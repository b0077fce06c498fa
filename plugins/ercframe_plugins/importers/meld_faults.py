"""What deserves a look in MELD's annotations: known faults of the corpus, found rather than listed."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from ercframe import Finding, Place, counted
from ercframe_plugins.importers.meld_annotations import Row, by_dialogue

SAME_WORDS = 0.8
"""Similarity of two transcripts of the same moment above which they are one utterance."""


def find_faults(rows: Sequence[Row]) -> Iterator[Finding]:
    """Gaps in numbering, utterances in two splits, speakers unseen in training."""
    dialogues = by_dialogue(rows)
    yield from _gaps(dialogues)
    yield from _copies(rows)
    yield from _unseen(rows)


def _gaps(dialogues: dict[str, list[Row]]) -> Iterator[Finding]:
    numbers = defaultdict(set)
    for of_one in dialogues.values():
        numbers[of_one[0].split].add(of_one[0].dialogue)
    absent = [f"{split}_{n}" for split, used in numbers.items() for n in sorted(set(range(max(used))) - used)]
    if absent:
        text = f"{counted(len(absent), 'dialogue')} without a row"
        yield Finding("note", "missing dialogue", text, tuple(Place(name) for name in absent))
    gaps = [d for d, of_one in dialogues.items() if [row.utterance for row in of_one] != list(range(len(of_one)))]
    if gaps:
        text = f"{counted(len(gaps), 'dialogue')} with gaps in Utterance_ID: turns are missing"
        yield Finding("warning", "missing turns", text, tuple(Place(name) for name in gaps))


def _copies(rows: Sequence[Row]) -> Iterator[Finding]:
    """Utterances of two splits at the same moment with nearly the same words.

    Season and episode are not compared: test 84, which is train 12, has them wrong.
    """
    moments = defaultdict(list)
    for row in rows:
        moments[row.start, row.end].append(row)
    copies = [
        (first, other)
        for same in moments.values()
        for first, other in combinations(same, 2)
        if first.split != other.split and difflib.SequenceMatcher(None, first.text, other.text).ratio() > SAME_WORDS
    ]
    if copies:
        text = f"{counted(len(copies), 'utterance')} in two splits: " + ", ".join(
            f"{a.id} is {b.id}" for a, b in copies
        )
        yield Finding("warning", "in two splits", text, tuple(row.place for pair in copies for row in pair))


def _unseen(rows: Sequence[Row]) -> Iterator[Finding]:
    names = defaultdict(set)
    for row in rows:
        names[row.split].add(row.speaker)
    unseen = names["test"] - names["train"]
    if unseen:
        everyone = set().union(*names.values())
        text = f"{len(unseen)} of {len(names['test'])} speakers of test are not in train ({len(everyone)} in all)"
        yield Finding("note", "unseen speakers", text)
