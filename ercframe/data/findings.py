"""What was noticed about data: how grave it is, what it is, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

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


def counted(number: int, noun: str, plural: str = "") -> str:
    """``"1 row"``, ``"2 rows"``, ``"1,234 rows"``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
