"""IEMOCAP's own files: evaluations, transcriptions and recordings of each session."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ercframe import InputError, Place, Problem, nearest, problems_in

SCORED: tuple[str, ...] = ("hap", "sad", "neu", "ang", "exc", "fru")
"""The six emotions of the benchmark, in its order; label i is the i-th."""
OTHER: tuple[str, ...] = ("fea", "sur", "dis", "oth", "xxx")
"""Classes that are context only; xxx: the annotators did not agree."""
_EVALUATED = re.compile(
    r"\[\s*(?P<start>\d+\.?\d*)\s*-\s*(?P<end>\d+\.?\d*)\s*\]\s+(?P<id>\S+)\s+(?P<emotion>\S+)"
    r"\s+\[\s*(?P<v>\d+\.?\d*)\s*,\s*(?P<a>\d+\.?\d*)\s*,\s*(?P<d>\d+\.?\d*)\s*\]"
)
_SPOKEN = re.compile(r"(?P<id>\S+)\s+\[\s*[\d.]+\s*-\s*[\d.]+\s*\]\s*:\s*(?P<text>.*)")
_VIDEOS = ("avi", "mp4")


@dataclass(frozen=True)
class Turn:
    """One evaluated utterance; times in seconds from the start of the dialogue's recording."""

    id: str
    side: str
    emotion: str
    start: float
    end: float
    vad: tuple[float, float, float]


@dataclass
class Release:
    """What the folders hold.

    Attributes:
        turns: evaluated utterances of each dialogue, in order of time.
        session: number of each dialogue's session.
        text: of utterances by id.
        media: recordings of utterances by id, relative to the release.
        unevaluated: utterances that are transcribed only.
        nameless: files with lines that name no utterance, and how many.
        undecodable: files with bytes that are no UTF-8, and how many lines.
    """

    turns: dict[str, list[Turn]] = field(default_factory=dict)
    session: dict[str, int] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    media: dict[str, dict[str, str]] = field(default_factory=dict)
    unevaluated: list[Place] = field(default_factory=list)
    nameless: Counter[str] = field(default_factory=Counter)
    undecodable: Counter[str] = field(default_factory=Counter)


def read_release(folder: Path, dialog_video: bool) -> Release:
    """Read all sessions below a folder.

    Args:
        folder: of the release.
        dialog_video: whether to name the video of the dialogue for utterances that have none of their own.

    Raises:
        InputError: it is not the corpus, or something in an evaluation cannot be right; lists every problem.
    """
    found = {int(path.name.removeprefix("Session")): path for path in folder.glob("Session[0-9]") if path.is_dir()}
    if not found:
        raise InputError(f"{folder} must be the folder with Session1 to Session5, such as IEMOCAP_full_release")
    release, problems = Release(), list[Problem]()
    for number, session in sorted(found.items()):
        files = _texts(session / "dialog/EmoEvaluation")
        if not files:
            problems.append(Problem(f"{session.name}/dialog/EmoEvaluation", "", "must have a file for each dialogue"))
        for path in files:
            problems += _read_evaluation(path, release, path.relative_to(folder).as_posix())
            release.session[path.stem] = number
            _read_transcription(session / "dialog/transcriptions" / path.name, release, folder)
            _find_media(session, path.stem, release, folder, dialog_video)
    if problems:
        raise problems_in(folder, problems)
    return release


def write_example(folder: Path) -> None:
    """Write two sessions of one dialogue each in the form of the release, without recordings."""
    for session in (1, 2):
        dialogue, dialog = f"Ses{session:02}F_impro01", folder / f"Session{session}/dialog"
        turns = [(f"{dialogue}_{'FM'[i % 2]}{i:03}", emotion, i) for i, emotion in enumerate(SCORED)]
        lines = {
            "EmoEvaluation": [
                f"[{i:.4f} - {i + 0.9:.4f}]\t{id}\t{emotion}\t[2.5000, 2.5000, 2.5000]" for id, emotion, i in turns
            ],
            "transcriptions": [f"{id} [{i:08.4f}-{i + 0.9:08.4f}]: I say {i}." for id, _, i in turns],
        }
        for kind, content in lines.items():
            (dialog / kind).mkdir(parents=True)
            (dialog / kind / f"{dialogue}.txt").write_text("\n".join(content) + "\n", encoding="utf-8")


def _texts(folder: Path) -> list[Path]:
    """Text files but for those that macOS put beside them."""
    return sorted(path for path in folder.glob("*.txt") if not path.name.startswith("."))


def _read_evaluation(path: Path, release: Release, name: str) -> Iterator[Problem]:
    """Lines between square brackets; the others are the judgements of single annotators."""
    turns = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.startswith("["):
            continue
        match, where = _EVALUATED.match(line), f"{name}:{number}"
        if match is None:
            yield Problem(where, "", f"must be [START - END] TURN EMOTION [V, A, D] (got {line[:60]!r})")
            continue
        turn = re.fullmatch(re.escape(path.stem) + r"_([FM])\w+", match["id"])
        if turn is None:
            yield Problem(where, "turn", f"must be {path.stem}_F or _M and a number (got {match['id']!r})")
        if match["emotion"] not in SCORED + OTHER:
            known = SCORED + OTHER
            got = f"(got {match['emotion']!r}{nearest(match['emotion'], known)})"
            yield Problem(where, "emotion", f"must be one of {', '.join(known)} {got}")
        times, vad = (float(match["start"]), float(match["end"])), tuple(float(match[k]) for k in "vad")
        side = turn[1] if turn else ""
        turns.append(Turn(match["id"], side, match["emotion"], *times, (vad[0], vad[1], vad[2])))
    if not turns:
        yield Problem(name, "", "must hold at least one evaluated utterance (got none)")
    release.turns[path.stem] = sorted(turns, key=lambda turn: (turn.start, turn.end, turn.id))


def _read_transcription(path: Path, release: Release, folder: Path) -> None:
    """Text of the evaluated utterances; a dialogue without a file has none."""
    if not path.is_file():
        return
    evaluated = {turn.id for turn in release.turns[path.stem]}
    name = path.relative_to(folder).as_posix()
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        release.undecodable[name] += "\ufffd" in line
        match = _SPOKEN.match(line)
        if match is None:
            release.nameless[name] += bool(line.strip())
        elif match["id"] in evaluated:
            release.text[match["id"]] = match["text"].strip()
        else:
            release.unevaluated.append(Place(path.stem, match["id"]))


def _find_media(session: Path, dialogue: str, release: Release, folder: Path, dialog_video: bool) -> None:
    """Recordings of utterances: sound as released, video where somebody cut it, else perhaps the dialogue's."""
    whole = [session / "dialog/avi/DivX" / f"{dialogue}.avi"] if dialog_video else []
    for turn in release.turns[dialogue]:
        sounds = [session / "sentences/wav" / dialogue / f"{turn.id}.wav"]
        videos = [session / "sentences/avi" / dialogue / f"{turn.id}.{kind}" for kind in _VIDEOS]
        chosen = {"audio": _first(sounds), "video": _first(videos + whole)}
        release.media[turn.id] = {kind: path.relative_to(folder).as_posix() for kind, path in chosen.items() if path}


def _first(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
