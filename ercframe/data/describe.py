"""What deserves a look in the times and words of a corpus's dialogues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from ercframe.data.findings import Finding, Place
from ercframe.data.records import DialogueRecord, UtteranceRecord
from ercframe.wording import counted

TOO_LONG = 60.0
"""Seconds; a longer utterance is likely several."""
_SHOWN = 3  # durations in a message


def describe_turns(dialogues: Sequence[DialogueRecord], order: str) -> Iterator[Finding]:
    """Times that go back, last too long or not at all, overlaps of a speaker with themselves, utterances without text.

    Args:
        dialogues: what was read.
        order: what gives the order of a dialogue's utterances, for the message, such as ``"the order of lines"``.
    """
    back = [Place(d.id) for d in dialogues if any(_goes_back(a, b) for a, b in pairwise(d.utterances))]
    if back:
        text = f"{counted(len(back), 'dialogue')} with start times that go back; {order} gives the order"
        yield Finding("warning", "time goes back", text, tuple(back))
    lasting = [
        (Place(d.id, u.id), u.end - u.start)
        for d in dialogues
        for u in d.utterances
        if u.start is not None and u.end is not None
    ]
    if empty := tuple(place for place, seconds in lasting if seconds <= 0):
        yield Finding("warning", "no duration", f"{counted(len(empty), 'utterance')} without a duration", empty)
    long = [(place, seconds) for place, seconds in lasting if seconds > TOO_LONG]
    if long:
        shown = ", ".join(f"{seconds:.0f} s" for _, seconds in long[:_SHOWN]) + ", …" * (len(long) > _SHOWN)
        text = f"{counted(len(long), 'utterance')} longer than {TOO_LONG:.0f} s ({shown}): likely cut wrongly"
        yield Finding("warning", "too long", text, tuple(place for place, _ in long))
    if overlaps := tuple(_overlaps(dialogues)):
        text = f"{counted(len(overlaps), 'utterance')} beginning before the same speaker's last one ends"
        yield Finding("note", "overlap", text, overlaps)
    silent = tuple(Place(d.id, u.id) for d in dialogues for u in d.utterances if not u.text.strip())
    if silent:
        yield Finding("note", "no text", f"{counted(len(silent), 'utterance')} without text", silent)


def _goes_back(before: UtteranceRecord, after: UtteranceRecord) -> bool:
    return before.start is not None and after.start is not None and after.start < before.start


def _overlaps(dialogues: Iterable[DialogueRecord]) -> Iterator[Place]:
    for dialogue in dialogues:
        ends: dict[str, float] = {}
        for u in dialogue.utterances:
            if u.start is None or u.end is None:
                continue
            last = ends.get(u.speaker, u.start)
            if u.start < last:
                yield Place(dialogue.id, u.id)
            ends[u.speaker] = max(last, u.end)
