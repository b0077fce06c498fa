"""What importers yield: dialogues as people read them, feature arrays in the same order, and what was noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ercframe.data.findings import Finding

# Shape letters: N utterances of the corpus, D features.

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
UNSCORED = -1
"""The label of an utterance that is context only."""

SpeakerIds = Literal["corpus", "order"]
"""corpus: an id stands for the same speaker in every dialogue. order: ids count speakers as they appear in each."""


@dataclass(frozen=True, slots=True)
class UtteranceRecord:
    """One turn, as written to ``dialogues.jsonl``.

    Attributes:
        id: unique in the corpus.
        speaker: name in the corpus.
        label: index of the emotion in the corpus's labels; -1 where the utterance is not scored.
        text: transcript; empty where there is none.
        start: seconds from the start of the recording; None where unknown.
        end: the same for its end.
        targets: further things to predict, such as ``"vad"``; a tuple of values each, NaN where unknown.
        media: files of the utterance by kind, such as ``"video"``, relative to the corpus's own folder.
    """

    id: str
    speaker: str
    label: int = UNSCORED
    text: str = ""
    start: float | None = None
    end: float | None = None
    targets: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    media: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DialogueRecord:
    """A dialogue, as written to ``dialogues.jsonl``.

    Attributes:
        id: unique in the corpus.
        split: where it belongs.
        utterances: in order.
        group: what should not be divided between splits, such as a recording session; empty where there is none.
    """

    id: str
    split: Split
    utterances: tuple[UtteranceRecord, ...]
    group: str = ""


@dataclass(frozen=True)
class SourceFile:
    """A file that something was read from: its name without folders, and its SHA-256."""

    name: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> SourceFile:
        """Name and digest of a file."""
        return cls(path.name, sha256(path))


@dataclass(frozen=True)
class FeatureArray:
    """The features of one modality.

    Attributes:
        values: ``(N, D)`` float, raw, in the order of the corpus's utterances; NaN where a value is unknown, a row
            of NaN where the utterance lacks the modality.
        parts: the arrays that were joined, each with its width, in order.
        extractor: what computed them; ``"imported"`` where that is not known here.
        version: version of the extractor.
        settings: its settings.
        source: the file they came from.
    """

    values: NDArray[Any]
    parts: Mapping[str, int] = field(default_factory=dict)
    extractor: str = "imported"
    version: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: SourceFile | None = None


@dataclass(frozen=True)
class Corpus:
    """Everything an importer read.

    Attributes:
        name: name of the corpus.
        labels: emotion names; label ``i`` is ``labels[i]``.
        dialogues: in the order in which the bundle keeps them.
        features: arrays by modality; may be empty, since extractors can add modalities later.
        licence: under which terms the data may be used; empty where unknown.
        speaker_ids: what ids mean; None decides by whether names are sides of a conversation.
        sources: the files read, beside those of the features.
        findings: what was noticed.
        label_map: what became of the corpus's own emotions, where ``labels`` are not these; None is context only.
    """

    name: str
    labels: tuple[str, ...]
    dialogues: Sequence[DialogueRecord]
    features: Mapping[str, FeatureArray] = field(default_factory=dict)
    licence: str = ""
    speaker_ids: SpeakerIds | None = None
    sources: tuple[SourceFile, ...] = ()
    findings: tuple[Finding, ...] = ()
    label_map: Mapping[str, str | None] | None = None


def split_named(name: str) -> Split | None:
    """The split that corpora call so: valid, validation and val mean dev. None where it is no split's name."""
    named: dict[str, Split] = {"train": "train", "test": "test"}
    return named.get(name, "dev" if name in ("dev", "valid", "validation", "val") else None)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def all_nan(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows of ``(N, D)`` hold no finite value, ``(N,)``."""
    known: NDArray[np.bool_] = np.isfinite(values).any(axis=1)
    return ~known
