"""Checking the dialogues of a bundle: identity, order in time, leaks between splits."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ercframe.data.findings import Finding, Level, Place
from ercframe.data.manifest import DIALOGUES
from ercframe.data.reader import Bundle
from ercframe.data.records import SPLITS
from ercframe.errors import InputError
from ercframe.wording import counted

Moment = tuple[str, float, float]
"""What was said, from when to when."""
_SAME_TURNS = 3
"""So many turns with words are hardly said twice in the same way."""


def check_dialogues(bundle: Bundle) -> Iterator[Finding]:
    """Read every dialogue once and say what is wrong with it, or between it and the others."""
    seen, index = _Seen(), 0
    try:
        for index, record in enumerate(bundle.records()):
            _look_at(bundle, index, record, seen)
    except InputError as error:
        yield Finding("error", "damaged", str(error))
        return
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        yield Finding("error", "damaged", f"{DIALOGUES}: dialogue {index} cannot be understood: {error!r}")
        return
    yield from _identities(seen)
    yield from _leaks(bundle, seen)
    yield from _places("warning", "time goes back", "utterance", "starting before the one before", seen.back)
    yield from _places("warning", "no duration", "utterance", "without a duration", seen.ends_first)
    yield from _places("note", "nothing scored", "dialogue", "without a scored utterance", seen.unscored)


@dataclass
class _Seen:
    """What is collected while the dialogues are read, one at a time."""

    splits: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    utterances: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))
    speakers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    moments: dict[Moment, dict[str, Place]] = field(default_factory=lambda: defaultdict(dict))
    wordings: dict[bytes, dict[str, Place]] = field(default_factory=lambda: defaultdict(dict))
    differing: list[Place] = field(default_factory=list)
    back: list[Place] = field(default_factory=list)
    ends_first: list[Place] = field(default_factory=list)
    unscored: list[Place] = field(default_factory=list)


def _look_at(bundle: Bundle, index: int, record: Mapping[str, Any], seen: _Seen) -> None:
    name, split = record["id"], record["split"]
    start, stop = bundle.rows(index)
    labels = bundle.label[start:stop]
    seen.splits[name].append(split)
    if name != bundle.dialogue_id(index) or SPLITS.index(split) != bundle.split[index]:
        seen.differing.append(Place(name))
    if (labels < 0).all():
        seen.unscored.append(Place(name))
    words = [utterance.get("text", "") for utterance in record["utterances"]]
    if sum(map(bool, words)) >= _SAME_TURNS:
        digest = hashlib.sha256("\0".join(words).encode()).digest()
        seen.wordings[digest].setdefault(split, Place(name))
    before = None
    for utterance, label in zip(record["utterances"], labels.tolist(), strict=True):
        place = Place(name, utterance["id"])
        seen.utterances[utterance["id"]].append(place)
        seen.speakers[utterance["speaker"]].add(split)
        if utterance["label"] != label:
            seen.differing.append(place)
        begin, end = utterance.get("start"), utterance.get("end")
        if begin is not None and before is not None and begin < before:
            seen.back.append(place)
        if begin is not None and end is not None:
            if end <= begin:
                seen.ends_first.append(place)
            if utterance.get("text"):
                seen.moments[utterance["text"], begin, end].setdefault(split, place)
        before = begin


def _identities(seen: _Seen) -> Iterator[Finding]:
    divided = [Place(name) for name, splits in seen.splits.items() if len(set(splits)) > 1]
    yield from _places("error", "in two splits", "dialogue", "in more than one split", divided)
    repeated = [Place(name) for name, splits in seen.splits.items() if len(splits) > 1 and len(set(splits)) == 1]
    yield from _places("error", "duplicate id", "dialogue", "with the id of another", repeated)
    shared = [place for places in seen.utterances.values() if len(places) > 1 for place in places]
    yield from _places("error", "duplicate id", "utterance", "with the id of another", shared)
    text = "with an id, split or label that is not that of the index"
    yield from _places("error", "differs", "entry", text, seen.differing, "entries")


def _leaks(bundle: Bundle, seen: _Seen) -> Iterator[Finding]:
    """What training has seen of the other splits."""
    yield from _divided_groups(bundle)
    copies = [place for by_split in seen.moments.values() if len(by_split) > 1 for place in by_split.values()]
    text = "with the same words at the same time as one of another split"
    yield from _places("warning", "in two splits", "utterance", text, copies)
    twins = [place for by_split in seen.wordings.values() if len(by_split) > 1 for place in by_split.values()]
    yield from _places("warning", "in two splits", "dialogue", "with the same words as one of another split", twins)
    if bundle.manifest.speakers.are == "sides":
        return  # F and M recur everywhere and are nobody
    people = {name: splits for name, splits in seen.speakers.items() if name}
    known = [name for name, splits in people.items() if "train" in splits and len(splits) > 1]
    if known:
        listed = ", ".join(known[:5]) + (", …" if len(known) > 5 else "")
        text = f"{len(known):,} of {counted(len(people), 'speaker')} are in train and in another split: {listed}"
        yield Finding("warning", "speakers", text)


def _divided_groups(bundle: Bundle) -> Iterator[Finding]:
    trained, tested = ({bundle.group_name(int(i)) for i in bundle.dialogues(split)} for split in ("train", "test"))
    if divided := sorted((trained & tested) - {""}):
        text = f"{counted(len(divided), 'group')} in train and in test: {', '.join(divided)}"
        yield Finding("warning", "in two splits", text)


def _places(
    level: Level, topic: str, noun: str, what: str, places: Sequence[Place], plural: str = ""
) -> Iterator[Finding]:
    """One finding for all places, if there are any."""
    if places:
        yield Finding(level, topic, f"{counted(len(places), noun, plural)} {what}", tuple(places))
