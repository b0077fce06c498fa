"""Files of conversations that anybody may write: JSON, one utterance a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ercframe.data.records import UNSCORED, DialogueRecord, Split, UtteranceRecord, split_named
from ercframe.data.turn import Turn, checked_turn
from ercframe.errors import InputError, Problem, problems_in


@dataclass(frozen=True)
class Conversation:
    """A dialogue as somebody wrote it down.

    Attributes:
        id: of the dialogue.
        turns: its utterances in the order of the file, each with an id.
        split: where it belongs; None where the file does not say.
        group: what must not be divided between splits; empty where the file does not say.
        lines: number of each turn's line in the file, from 1.
    """

    id: str
    turns: tuple[Turn, ...]
    split: Split | None = None
    group: str = ""
    lines: tuple[int, ...] = ()


def read_conversations(path: str | Path) -> tuple[Conversation, ...]:
    """Read a file of utterances, dialogues in order of first appearance.

    Raises:
        InputError: there is no such file, or something in it cannot be right; lists the problems with their lines.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} must be a file with an utterance a line (got a folder)")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    reader = _Reader(path)
    reader.read(content.removeprefix(b"\xef\xbb\xbf"))
    conversations = reader.conversations()
    if reader.problems:
        raise problems_in(path, reader.problems)
    return conversations


def dialogue_records(
    conversations: Iterable[Conversation], labels: Sequence[str], split: Split = "test"
) -> tuple[DialogueRecord, ...]:
    """Conversations as records, with NaN for targets that an utterance lacks.

    Args:
        conversations: what was read.
        labels: names of the emotions; a turn with another label, or none, is context only.
        split: of conversations that say none.
    """
    conversations = tuple(conversations)
    widths = {name: len(values) for c in conversations for turn in c.turns for name, values in turn.targets.items()}
    index = {name: i for i, name in enumerate(labels)}
    return tuple(
        DialogueRecord(c.id, c.split or split, tuple(_record(turn, index, widths) for turn in c.turns), c.group)
        for c in conversations
    )


def _record(turn: Turn, index: dict[str, int], widths: dict[str, int]) -> UtteranceRecord:
    nan = float("nan")
    return UtteranceRecord(
        id=turn.id or "",
        speaker=turn.speaker,
        label=index.get(turn.label, UNSCORED) if turn.label else UNSCORED,
        text=turn.text,
        start=turn.start,
        end=turn.end,
        targets={
            name: tuple(nan if v is None else v for v in turn.targets.get(name, (None,) * width))
            for name, width in widths.items()
        },
        media=turn.media.model_dump(exclude_none=True),
    )


@dataclass
class _Draft:
    """A dialogue while it is read: turns and what its lines say of it, each with the line's number."""

    turns: list[Turn] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    split: tuple[Split, int] | None = None
    group: tuple[str, int] | None = None


class _Reader:
    """Collects dialogues, and everything that is wrong, while it goes through the lines."""

    def __init__(self, path: Path) -> None:
        self.path, self.problems = path, list[Problem]()
        self._drafts: dict[str, _Draft] = {}
        self._ids: dict[str, int] = {}
        self._widths: dict[str, tuple[int, int]] = {}

    def read(self, content: bytes) -> None:
        for number, raw in enumerate(content.split(b"\n"), 1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                self._note(number, "", f"must be UTF-8 (got byte 0x{raw[error.start]:02x})")
                return  # of another encoding every line would say the same
            if not line.strip():
                continue
            turn, problems = checked_turn(line, self._where(number))
            self.problems += problems
            if turn:
                self._add(turn, number)
        none_is_json = all(problem.message.startswith("must be JSON") for problem in self.problems)
        if none_is_json and not self._drafts and len(self.problems) > 1:  # every line of a CSV would say the same
            rule = 'must hold JSON, an utterance a line, such as {"speaker": "Ann", "text": "Hello."}'
            self.problems = [Problem("", "", f"{rule} (got no line that is JSON)")]
        if not self._drafts and not self.problems:
            self.problems.append(Problem("", "", "must hold at least one utterance (got none)"))

    def conversations(self) -> tuple[Conversation, ...]:
        return tuple(
            Conversation(
                id=name,
                turns=tuple(draft.turns),
                split=draft.split[0] if draft.split else None,
                group=draft.group[0] if draft.group else "",
                lines=tuple(draft.lines),
            )
            for name, draft in self._drafts.items()
        )

    def _add(self, turn: Turn, number: int) -> None:
        name = turn.dialogue or self.path.stem
        draft = self._drafts.setdefault(name, _Draft())
        id = turn.id or f"{name}_{len(draft.turns)}"
        first = self._ids.setdefault(id, number)
        if first != number:
            self._note(number, "id", f"must be unique (got '{id}', which line {first} has)")
        if turn.split and (named := split_named(turn.split)):
            split = draft.split = draft.split or (named, number)
            self._same(number, "split", named, split)
        if turn.group:
            group = draft.group = draft.group or (turn.group, number)
            self._same(number, "group", turn.group, group)
        for target, values in turn.targets.items():
            width, line = self._widths.setdefault(target, (len(values), number))
            if len(values) != width:
                self._note(number, f"targets.{target}", f"must have {width} values, as line {line} (got {len(values)})")
        draft.turns.append(turn.model_copy(update={"id": id, "dialogue": name}))
        draft.lines.append(number)

    def _same(self, number: int, key: str, got: str, first: tuple[str, int]) -> None:
        if got != first[0]:
            self._note(
                number, key, f"must be the same in all of a dialogue (got '{got}'; line {first[1]}: '{first[0]}')"
            )

    def _note(self, number: int, what: str, message: str) -> None:
        self.problems.append(Problem(self._where(number), what, message))

    def _where(self, number: int) -> str:
        return f"{self.path.name}:{number}"
