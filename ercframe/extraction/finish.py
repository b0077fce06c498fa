"""Giving a bundle a further modality, so that it is whole whatever stops the process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ercframe.data import standardise
from ercframe.data.manifest import DIALOGUES, INDEX, MANIFEST, Manifest, Modality, read_manifest
from ercframe.data.reader import Bundle
from ercframe.data.records import FeatureArray, sha256
from ercframe.data.writer import write_modality
from ercframe.errors import RunError
from ercframe.files import make_durable, write_text
from ercframe.lock import alone

FITTED = "fitted.safetensors"
"""What an extractor learnt, in its work folder."""


def add_modality(
    bundle: Bundle, name: str, array: FeatureArray, work: Path, told: Mapping[str, object], force: bool
) -> Manifest:
    """Add the features of a modality to a bundle on disk.

    New files come first, under names that the old manifest does not know; then the manifest is replaced in one step;
    what only the old one knew is removed last.

    Args:
        bundle: as it was when the features were computed.
        name: of the modality.
        array: its features.
        work: a folder in the bundle; holds :data:`FITTED` where the extractor learnt something.
        told: further entries of the modality in the manifest.
        force: replace a modality of this name.

    Raises:
        RunError: the bundle was changed meanwhile.
    """
    with alone(bundle.path, wait=True):
        old = read_manifest(bundle.path)
        same = all(old.files.get(file) == bundle.manifest.files.get(file) for file in (DIALOGUES, INDEX))
        if not same or not work.is_dir():
            raise RunError(f"{bundle.path} was imported again meanwhile, and the features are lost; extract them again")
        if name in old.modalities and not force:
            raise RunError(f"{bundle.path} got a modality '{name}' meanwhile; --force replaces it")
        modality = write_modality(work, name, array, bundle.utterance_rows("train"), standardise.CLIP)
        files = [_move(work / modality.file, bundle.path, f"features/{name}", ".safetensors", old)]
        if (work / FITTED).is_file():
            # Not the file itself: if this attempt ends before the manifest, the next one needs what was learnt.
            copy = work / f"copy.{FITTED}"
            shutil.copyfile(work / FITTED, copy)
            files.append(_move(copy, bundle.path, f"features/{name}", f".{FITTED}", old))
        update = {**told, "file": files[0], "fitted": files[1] if len(files) > 1 else ""}
        manifest = _with(old, name, modality.model_copy(update=update), bundle.path)
        write_text(bundle.path / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        for file in old.files.keys() - manifest.files.keys():
            (bundle.path / file).unlink(missing_ok=True)
    return manifest


def _with(old: Manifest, name: str, modality: Modality, bundle: Path) -> Manifest:
    """The manifest with another entry for a modality, and with its files instead of those of the old entry."""
    new = {file for file in (modality.file, modality.fitted) if file}
    before = old.modalities.get(name)
    gone = {before.file, before.fitted} if before else set()
    files = {file: digest for file, digest in old.files.items() if file not in gone | new}
    files |= {file: sha256(bundle / file) for file in new}
    return old.model_copy(
        update={"modalities": {**old.modalities, name: modality}, "files": dict(sorted(files.items()))}
    )


def _move(file: Path, bundle: Path, stem: str, ending: str, old: Manifest) -> str:
    """Move a file into the bundle under a name that the old manifest does not know; returns that name."""
    make_durable(file)
    name = f"{stem}{ending}"
    if name in old.files:
        name = f"{stem}-{sha256(file)[:8]}{ending}"
    (bundle / name).parent.mkdir(exist_ok=True)
    os.replace(file, bundle / name)
    return name
