"""MELD's annotation files: three CSV tables with one row for each utterance."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ercframe import InputError, Place, Problem, Split, counted

FILES: dict[Split, str] = {"train": "train_sent_emo.csv", "dev": "dev_sent_emo.csv", "test": "test_sent_emo.csv"}
LABELS: tuple[str, ...] = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
"""Emotions in the order of MELD's authors; label i is the i-th."""
SENTIMENTS: tuple[str, ...] = ("neutral", "positive", "negative")
"""Sentiments in the order of MELD's authors."""
COLUMNS = (
    "Utterance",
    "Speaker",
    "Emotion",
    "Dialogue_ID",
    "Utterance_ID",
    "Season",
    "Episode",
    "StartTime",
    "EndTime",
)
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{1,3})")
_SHOWN = 5  # problems of one file

_EXAMPLE_HEAD = ("Sr No.", *COLUMNS[:3], "Sentiment", *COLUMNS[3:])

Key = tuple[str, int, int]
"""Split, dialogue and utterance, as MELD counts them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One utterance as annotated; times in seconds from the start of the episode."""

    split: Split
    dialogue: int
    utterance: int
    speaker: str
    emotion: str
    text: str
    start: float
    end: float
    sentiment: str = ""

    @property
    def key(self) -> Key:
        """What identifies it in MELD."""
        return (self.split, self.dialogue, self.utterance)

    @property
    def dialogue_id(self) -> str:
        """Id of its dialogue, with the split, since MELD counts dialogues anew in every split."""
        return f"{self.split}_{self.dialogue}"

    @property
    def id(self) -> str:
        """Id of the utterance in the bundle."""
        return f"{self.dialogue_id}_{self.utterance}"

    @property
    def place(self) -> Place:
        """Where it is in the bundle."""
        return Place(self.dialogue_id, self.id)


def write_example(folder: Path) -> None:
    """Write three small files in the form in which MELD is published."""
    for split, name in FILES.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\r\n")
            table.writerow(_EXAMPLE_HEAD)
            for i, emotion in enumerate(LABELS):
                said, times = f"I say {i}, in {split}.", (f"00:00:{i:02d},000", f"00:00:{i:02d},900")
                table.writerow([i, said, "Ann" if i % 2 else "Bob", emotion, "neutral", 0, i, 1, 1, *times])


def read_rows(folder: Path, with_sentiment: bool = False) -> list[Row]:
    """Read the three files, sorted by split, dialogue and utterance.

    Args:
        folder: with the files.
        with_sentiment: whether they must have the column ``Sentiment``.

    Raises:
        InputError: a file is missing, or something in it cannot be right; lists the first problems of every file.
    """
    missing = [name for name in FILES.values() if not (folder / name).is_file()]
    if missing:
        problems = [Problem("", name, "no such file") for name in missing]
        raise InputError(f"{folder} must be the folder with MELD's annotation files", problems)
    rows: list[Row] = []
    problems = []
    for split, name in FILES.items():
        found = list(_read_file(split, folder / name, with_sentiment))
        wrong = [item for item in found if isinstance(item, Problem)]
        problems += wrong[:_SHOWN]
        if len(wrong) > _SHOWN:
            problems.append(Problem(name, "", f"and {counted(len(wrong) - _SHOWN, 'more problem')}"))
        rows += sorted((item for item in found if isinstance(item, Row)), key=lambda row: row.key)
    if problems:
        raise InputError(f"MELD's annotation files in {folder} cannot be used", problems)
    return rows


def _read_file(split: Split, path: Path, with_sentiment: bool) -> Iterator[Row | Problem]:
    columns = (*COLUMNS, "Sentiment") if with_sentiment else COLUMNS
    seen: dict[tuple[int, int], int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            missing = [name for name in columns if name not in (table.fieldnames or ())]
            if missing:
                yield Problem(path.name, "", f"must have the columns {', '.join(columns)} (lacks {', '.join(missing)})")
                return
            for line in table:
                where = f"{path.name}:{table.line_num}"
                row, problems = _parse(split, line, where, columns)
                yield from problems
                if row is None:
                    continue
                first = seen.setdefault((row.dialogue, row.utterance), table.line_num)
                if first != table.line_num:
                    message = f"must be unique in dialogue {row.dialogue} (got {row.utterance}, which line {first} has)"
                    yield Problem(where, "Utterance_ID", message)
                yield row
    except UnicodeDecodeError as error:
        yield Problem(path.name, "", f"must be UTF-8 (got byte 0x{error.object[error.start]:02x})")
    except csv.Error as error:
        yield Problem(path.name, "", f"must be a CSV table ({error})")


def _parse(
    split: Split, line: Mapping[str, str | None], where: str, columns: Sequence[str]
) -> tuple[Row | None, list[Problem]]:
    """One row, or None with what is wrong with it."""
    if None in line or None in line.values():
        return None, [Problem(where, "", "must have as many fields as the header")]
    text = {name: line[name] or "" for name in columns}
    problems = [
        Problem(where, name, f"must be a whole number (got {text[name]!r})")
        for name in ("Dialogue_ID", "Utterance_ID")
        if not text[name].strip().isdecimal()
    ]
    times = {name: _seconds(text[name]) for name in ("StartTime", "EndTime")}
    problems += [
        Problem(where, name, f"must be HH:MM:SS,mmm (got {text[name]!r})")
        for name, time in times.items()
        if time is None
    ]
    problems += [
        Problem(where, name, f"must be one of {', '.join(known)} (got {text[name]!r})")
        for name, known in (("Emotion", LABELS), ("Sentiment", SENTIMENTS))
        if name in columns and text[name] not in known
    ]
    start, end = times.values()
    if problems or start is None or end is None:
        return None, problems
    dialogue, utterance = int(text["Dialogue_ID"]), int(text["Utterance_ID"])
    speaker, sentiment = text["Speaker"].strip(), text.get("Sentiment", "")
    return Row(split, dialogue, utterance, speaker, text["Emotion"], text["Utterance"], start, end, sentiment), []


def _seconds(clock: str) -> float | None:
    match = _CLOCK.fullmatch(clock.strip())
    if match is None:
        return None
    hours, minutes, seconds, milliseconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(milliseconds.ljust(3, "0")) / 1000


def by_dialogue(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each dialogue, in the order given."""
    dialogues: dict[str, list[Row]] = {}
    for row in rows:
        dialogues.setdefault(row.dialogue_id, []).append(row)
    return dialogues
