"""Checking a bundle: damage, values that cannot be right, leaks between splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ercframe.data.check_dialogues import check_dialogues
from ercframe.data.check_features import check_features
from ercframe.data.findings import Finding
from ercframe.data.manifest import EXTRACTING, MANIFEST, read_manifest
from ercframe.data.reader import Bundle
from ercframe.data.records import sha256
from ercframe.errors import InputError
from ercframe.wording import counted


def check_bundle(path: Path, on_step: Callable[[str], None] = lambda step: None) -> list[Finding]:
    """Everything that can be said about a bundle without knowing the corpus.

    Args:
        path: folder of the bundle.
        on_step: told in words what is being done.

    Raises:
        InputError: there is no bundle, or its manifest cannot be read.
    """
    manifest = read_manifest(path)
    findings = list(_check_files(path, manifest.files, on_step))
    try:
        bundle = Bundle(path)
    except InputError as error:
        return [*findings, Finding("error", "damaged", str(error))]
    on_step("checking the index")
    index = list(_check_index(bundle))
    findings += index
    if any(finding.topic in ("index", "label") for finding in index):
        return findings  # what follows relies on it
    on_step("checking the dialogues")
    findings += check_dialogues(bundle)
    for modality in manifest.modalities:
        on_step(f"checking {modality}")
        findings += check_features(bundle, modality)
    if not manifest.modalities:
        findings.append(
            Finding("note", "no modality", "the bundle has no features yet; `ercframe data extract` computes some")
        )
    return findings


def _check_files(path: Path, files: Mapping[str, str], on_step: Callable[[str], None]) -> Iterator[Finding]:
    for name, digest in files.items():
        on_step(f"checking the digest of {name}")
        if not (path / name).is_file():
            yield Finding("error", "damaged", f"{name} is missing")
        elif sha256(path / name) != digest:
            yield Finding(
                "error", "damaged", f"{name} is not the file that was written: its SHA-256 differs; import it again"
            )
    present = {p.relative_to(path) for p in path.rglob("*") if p.is_file()}
    begun = sorted({p.parts[1] for p in present if p.parts[0] == EXTRACTING})
    if begun:
        yield Finding("note", "unfinished", f"extraction of {', '.join(begun)} was stopped; the same command goes on")
    unknown = sorted({p.as_posix() for p in present if p.parts[0] != EXTRACTING} - set(files) - {MANIFEST})
    if unknown:
        yield Finding("note", "foreign file", f"{counted(len(unknown), 'file')} of no bundle: {', '.join(unknown)}")


def _check_index(bundle: Bundle) -> Iterator[Finding]:
    manifest, labels = bundle.manifest, bundle.label
    yield from (Finding("error", "index", fault) for fault in bundle.index_faults())
    wrong = bundle.labels_out_of_range()
    if wrong.size:
        values = ", ".join(map(str, np.unique(labels[wrong])))
        message = f"{counted(wrong.size, 'label')} not in -1 to {len(manifest.labels) - 1}: {values}"
        yield Finding("error", "label", message, tuple(bundle.places(wrong.tolist())) if bundle.divided else ())
    yield from _check_classes(bundle)


def _check_classes(bundle: Bundle) -> Iterator[Finding]:
    """How often each emotion is there, and which are missing."""
    names = bundle.manifest.labels
    if not bundle.class_counts("train").any():
        yield Finding("error", "classes", "train has no scored utterance: nothing can be learnt")
    for split in bundle.manifest.splits:
        counts = bundle.class_counts(split)
        listed = ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=False))
        absent = [name for name, count in zip(names, counts, strict=False) if not count]
        if absent:
            yield Finding("warning", "classes", f"{split} has no {', '.join(absent)}: {listed}")
        else:
            yield Finding("note", "classes", f"{split}: {listed}")
