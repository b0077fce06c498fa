"""IEMOCAP as its authors release it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ercframe import (
    ComponentConfig,
    Corpus,
    DialogueRecord,
    Finding,
    Importer,
    Place,
    Problem,
    SourceFile,
    Split,
    UtteranceRecord,
    counted,
    describe_turns,
    hookimpl,
    nearest,
    problems_in,
)
from ercframe_plugins.importers.iemocap_files import OTHER, SCORED, Release, Turn, read_release, write_example


class IemocapImporter(Importer):
    """IEMOCAP (Busso et al. 2008) from the folder of the release, with six emotions.

    Reads ``Session*/dialog/EmoEvaluation`` and ``transcriptions``, and records the sound files of
    ``sentences/wav``. Utterances of another class are context only. Valence, activation and dominance
    become the target ``vad``. The session is the group of a dialogue.
    """

    name = "iemocap"

    class Config(ComponentConfig):
        test_sessions: tuple[Annotated[int, Field(ge=1)], ...] = Field(
            (5,), min_length=1, description="Sessions that are the test split; the others are train."
        )
        dev_dialogues: tuple[str, ...] = Field(
            (), description="Dialogues that are the dev split; left out, the protocol heldout carves one from train."
        )
        dialog_video: bool = Field(
            False,
            description="Record the video of the whole dialogue where the utterance has none of its own; extractors "
            "cut it by time. Both speakers are in its picture.",
        )

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def example_source(cls, folder: Path) -> tuple[Path, Mapping[str, object]]:
        """A release of two sessions, each with one dialogue of six emotions."""
        write_example(folder)
        return folder, {"test_sessions": (2,)}

    def read(self, source: Path) -> Corpus:
        """Read all sessions below the folder of the release."""
        release = read_release(source, self.config.dialog_video)
        problems = list(self._problems(release))
        if problems:
            raise problems_in("the settings of importer 'iemocap'", problems)
        dialogues = tuple(
            DialogueRecord(
                name,
                self._split(name, release),
                tuple(_utterance(turn, release) for turn in turns),
                f"Ses{release.session[name]:02}",
            )
            for name, turns in release.turns.items()
        )
        return Corpus(
            name="IEMOCAP",
            labels=SCORED,
            dialogues=dialogues,
            licence="Research only, on request from the University of Southern California; not to be passed on.",
            speaker_ids="corpus",
            sources=tuple(SourceFile.of(path) for path in _sources(source, release)),
            findings=(*_findings(release), *describe_turns(dialogues, "the start of utterances")),
        )

    def _problems(self, release: Release) -> Iterator[Problem]:
        sessions = set(release.session.values())
        listed = ", ".join(map(str, sorted(sessions)))
        absent = [number for number in self.config.test_sessions if number not in sessions]
        if absent:
            yield Problem("", "test_sessions", f"must be of {listed} (got {', '.join(map(str, absent))})")
        if sessions <= set(self.config.test_sessions):
            yield Problem("", "test_sessions", f"must leave a session for train (got {listed})")
        for name in self.config.dev_dialogues:
            if name not in release.session:
                known = nearest(name, release.session)
                yield Problem("", "dev_dialogues", f"must be dialogues of the corpus (got '{name}'{known})")
            elif release.session[name] in self.config.test_sessions:
                yield Problem("", "dev_dialogues", f"must not be in a test session (got '{name}')")

    def _split(self, dialogue: str, release: Release) -> Split:
        if release.session[dialogue] in self.config.test_sessions:
            return "test"
        return "dev" if dialogue in self.config.dev_dialogues else "train"


def _utterance(turn: Turn, release: Release) -> UtteranceRecord:
    return UtteranceRecord(
        id=turn.id,
        speaker=turn.side,
        label=SCORED.index(turn.emotion) if turn.emotion in SCORED else -1,
        text=release.text.get(turn.id, ""),
        start=turn.start,
        end=turn.end,
        targets={"vad": turn.vad},
        media=release.media[turn.id],
    )


def _sources(folder: Path, release: Release) -> Iterator[Path]:
    for name, session in release.session.items():
        for kind in ("EmoEvaluation", "transcriptions"):
            path = folder / f"Session{session}" / "dialog" / kind / f"{name}.txt"
            if path.is_file():
                yield path


def _findings(release: Release) -> Iterator[Finding]:
    """What of the release is not in the bundle, or only in part."""
    turns = [(name, turn) for name, of_one in release.turns.items() for turn in of_one]
    classes = Counter(turn.emotion for _, turn in turns)
    if other := {name: classes[name] for name in OTHER if classes[name]}:
        listed = ", ".join(f"{name} {count:,}" for name, count in other.items())
        text = f"{counted(sum(other.values()), 'utterance')} of another class ({listed}): context only"
        yield Finding("note", "not scored", text)
    if release.unevaluated:
        text = f"{counted(len(release.unevaluated), 'utterance')} transcribed but not evaluated: left out"
        yield Finding("note", "not evaluated", text, tuple(release.unevaluated))
    silent = tuple(Place(name, turn.id) for name, turn in turns if "audio" not in release.media[turn.id])
    if len(silent) == len(turns):
        yield Finding("note", "no recording", "no utterance has a sound file in sentences/wav: none is recorded")
    elif silent:
        text = f"{counted(len(silent), 'utterance')} without a sound file: not available"
        yield Finding("warning", "no recording", text, silent)
    if (nameless := release.nameless.total()) > 0:
        text = f"{counted(nameless, 'line')} of transcriptions naming no utterance: left out"
        yield Finding("note", "no utterance", text, _files(release.nameless))
    if (wrong := release.undecodable.total()) > 0:
        text = f"{counted(wrong, 'line')} of transcriptions with bytes that are no UTF-8, which become \ufffd"
        yield Finding("warning", "encoding", text, _files(release.undecodable))


def _files(lines: Counter[str]) -> tuple[Place, ...]:
    return tuple(Place(name) for name, count in lines.items() if count)


@hookimpl
def ercframe_components() -> list[type[Importer]]:
    return [IemocapImporter]
