"""MELD's clips: one video for each utterance, in the folders that its archives make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ercframe import Finding, InputError, Place, Problem, Split, counted
from ercframe_plugins.importers.meld_annotations import Key, Row

FOLDERS: dict[Split, str] = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
"""What the archives of the splits unpack to."""
DAMAGED: dict[Key, str] = {
    ("train", 125, 3): "cannot be decoded",
    ("dev", 110, 7): "is missing from the archive",
}
"""Clips of which everybody knows that they cannot be used; left out even where a file is there."""
_CLIP = re.compile(r"dia(\d+)_utt(\d+)\.mp4")
_SHOWN = 3


@dataclass(frozen=True)
class Clips:
    """Clips by utterance, as paths relative to their folder, and what was noticed."""

    files: dict[Key, str]
    findings: tuple[Finding, ...]


def find_clips(root: Path, rows: Sequence[Row]) -> Clips:
    """Find the clips of annotated utterances below a folder, however deep the three folders of the splits are.

    A clip that is damaged, empty or missing is not available; files of another name, and clips without an annotation,
    are left out. All are counted and listed.

    Raises:
        InputError: a folder of a split is not there, or there are two of its name.
    """
    folders = _folders(root)
    found: dict[Key, Path] = {}
    foreign: list[str] = []
    for split, folder in folders.items():
        for path in sorted(folder.iterdir()):
            match = _CLIP.fullmatch(path.name)
            if match:
                found[split, int(match[1]), int(match[2])] = path
            else:
                foreign.append(f"{folder.name}/{path.name}")
    usable = {
        row.key: found[row.key].relative_to(root).as_posix()
        for row in rows
        if row.key in found and row.key not in DAMAGED and found[row.key].stat().st_size
    }
    return Clips(usable, (*_missing(rows, usable, found), *_left_over(rows, found, foreign)))


def _folders(root: Path) -> dict[Split, Path]:
    if not root.is_dir():
        raise InputError(f"clips must be the folder with {', '.join(FOLDERS.values())} (got {root}, which is none)")
    found = {split: sorted(path for path in root.rglob(name) if path.is_dir()) for split, name in FOLDERS.items()}
    problems = [
        Problem("", FOLDERS[split], f"must be below {root} once (got {', '.join(map(str, paths)) or 'none'})")
        for split, paths in found.items()
        if len(paths) != 1
    ]
    if problems:
        raise InputError(f"the clips in {root} must be unpacked as MELD's archives are", problems)
    return {split: paths[0] for split, paths in found.items()}


def _missing(rows: Sequence[Row], usable: dict[Key, str], found: dict[Key, Path]) -> Iterator[Finding]:
    known = [row for row in rows if row.key in DAMAGED]
    if known:
        causes = ", ".join(f"{row.id} {DAMAGED[row.key]}" for row in known)
        text = f"{counted(len(known), 'clip')} known to be unusable ({causes}): not available"
        yield Finding("note", "damaged clip", text, tuple(row.place for row in known))
    others = [row for row in rows if row.key not in usable and row.key not in DAMAGED]
    for what, chosen in (
        ("without a clip", [row for row in others if row.key not in found]),
        ("with an empty file as clip", [row for row in others if row.key in found]),
    ):
        if chosen:
            text = f"{counted(len(chosen), 'utterance')} {what}: not available"
            yield Finding("warning", "no clip", text, tuple(row.place for row in chosen))


def _left_over(rows: Sequence[Row], found: dict[Key, Path], foreign: Sequence[str]) -> Iterator[Finding]:
    extra = sorted(found.keys() - {row.key for row in rows})
    if extra:
        text = f"{counted(len(extra), 'clip')} of utterances without an annotation: left out"
        places = tuple(Place(f"{split}_{dialogue}", f"{split}_{dialogue}_{n}") for split, dialogue, n in extra)
        yield Finding("note", "no annotation", text, places)
    if foreign:
        shown = ", ".join(foreign[:_SHOWN]) + (", …" if len(foreign) > _SHOWN else "")
        text = f"{counted(len(foreign), 'file')} beside the clips with another name: left out ({shown})"
        yield Finding("note", "other files", text)
