"""Utterances as an extractor sees them (in their dialogue, with their files, without their labels) and reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ercframe.data.dialogue import Utterance

Need = Literal["text", "times", "audio", "video"]
"""What an extractor may need of a turn: words, start and end, a file with sound, a file with pictures."""

_FILES: dict[str, tuple[str, ...]] = {"audio": ("audio", "video"), "video": ("video",)}


@dataclass(frozen=True)
class UtteranceView(Utterance):
    """An utterance in its dialogue.

    Attributes:
        dialogue: id of the dialogue.
        position: number of the utterance in it, from 0.
        previous: the utterance before it; None for the first.
        media: files by kind, ``"audio"`` or ``"video"``.
        shared: those of these files that other turns of the dialogue name, too: recordings, of which a turn is the part
            from its start to its end. Any other file is the turn's own, whatever its times are.
    """

    dialogue: str = ""
    position: int = 0
    previous: Utterance | None = None
    media: Mapping[str, Path] = field(default_factory=dict)
    shared: frozenset[Path] = frozenset()

    def file(self, need: Literal["audio", "video"]) -> Path | None:
        """The file for a need; a film serves for its sound, too, where there is no recording. None: there is none."""
        return next((self.media[kind] for kind in _FILES[need] if kind in self.media), None)

    def lacks(self, needs: Sequence[Need]) -> str:
        """What keeps an extractor with these needs from working on this turn, such as ``"no text"``; else empty."""
        return next((f"no {name}" for need in needs if (name := self._lacks(need))), "")

    def _lacks(self, need: Need) -> str:
        if need == "text":
            return "" if self.text.strip() else "text"
        if need == "times":
            return "start and end" if self.start is None or self.end is None else ""
        path = self.file(need)
        return "start and end" if path in self.shared and self._lacks("times") else "" if path else need


@dataclass(frozen=True)
class Reading:
    """What an extractor read of a turn.

    Attributes:
        content: what ``extract`` works on; must be picklable where files are read.
        remark: something about this turn worth telling, such as ``"longer than 512 tokens: cut"``; turns with the same
            remark are listed together.
    """

    content: Any
    remark: str = ""


def views_of(record: Mapping[str, Any], media: Path | None = None) -> Iterator[UtteranceView]:
    """The turns of a dialogue.

    Args:
        record: the dialogue as it stands in ``dialogues.jsonl``.
        media: the folder to which paths of files are relative; None leaves files out.
    """
    previous = None
    times_named = Counter(path for row in record["utterances"] for path in {*row.get("media", {}).values()})
    for position, row in enumerate(record["utterances"]):
        known = {name: row[name] for name in ("id", "speaker", "text", "start", "end") if name in row}
        paths = row.get("media", {}) if media else {}
        yield UtteranceView(
            **known,
            dialogue=record["id"],
            position=position,
            previous=previous,
            media={kind: media / path for kind, path in paths.items()},
            shared=frozenset(media / path for path in paths.values() if times_named[path] > 1),
        )
        previous = Utterance(**known)
