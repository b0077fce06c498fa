"""What was noticed about data: how grave it is, what it is, and where."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
"""error: results on this data would be wrong. warning: look at it before trusting them. note: good to know."""


class Place(NamedTuple):
    """A dialogue, or one of its utterances."""

    dialogue: str
    utterance: str = ""

    def __str__(self) -> str:
        if not self.utterance:
            return self.dialogue
        says_both = re.match(re.escape(self.dialogue) + "[^A-Za-z0-9]", self.utterance)
        return self.utterance if says_both else f"{self.dialogue}/{self.utterance}"


@dataclass(frozen=True)
class Finding:
    """One kind of thing that was noticed.

    Attributes:
        level: how grave.
        topic: one word or two for what it is about, such as ``"duplicate id"``; the same for the same check.
        message: what was found, with its count.
        places: where; may be empty when it concerns the corpus as a whole.
    """

    level: Level
    topic: str
    message: str
    places: tuple[Place, ...] = ()


def by_gravity(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes; otherwise in the order found."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """Findings as JSON can hold them, the gravest first, with how many there are of each level."""
    ordered = by_gravity(findings)
    rows = [
        {"level": f.level, "topic": f.topic, "message": f.message, "places": [place._asdict() for place in f.places]}
        for f in ordered
    ]
    return {"schema_version": 1, "counts": dict(Counter(f.level for f in ordered)), "findings": rows}
