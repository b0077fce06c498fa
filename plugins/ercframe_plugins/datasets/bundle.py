"""Conversations from a bundle on disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, overload

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ercframe import (
    Bundle,
    ComponentConfig,
    Dataset,
    DatasetInfo,
    Dialogue,
    Dialogues,
    InputError,
    Intake,
    LabelMap,
    Preparation,
    Utterance,
    hookimpl,
    relabelling,
)

# Shape letters: B dialogues, N utterances of the bundle.


class BundleDataset(Dataset):
    """Conversations from a bundle, which ``ercframe data import`` makes.

    Features are read from memory-mapped files dialogue by dialogue and standardised as the manifest says, with the
    statistics of the training split; what is unknown becomes the training mean, and a row that is not available zeros.
    Speaker ids are given before unscored utterances are dropped, so that they do not depend on ``unscored``.
    """

    name = "bundle"
    example_configs = ()  # none without a bundle on disk

    class Config(ComponentConfig):
        path: Path = Field(description="Folder of the bundle, relative to the current directory.")
        unscored: Literal["drop", "context"] = Field(
            "drop",
            description="What becomes of utterances without a label. drop: the model never sees them, as in SDT. "
            "context: they are part of the dialogue but not scored.",
        )
        labels: LabelMap | None = Field(
            None,
            description="Label map: old emotion to new one, null for context only; or the name of its file. null keeps "
            "the bundle's own.",
        )
        standardise: bool = Field(True, description="false: raw values, with unknown ones at the training mean.")
        clip: Annotated[float, Field(gt=0)] | Literal["manifest"] | None = Field(
            "manifest",
            description="Largest absolute value after standardisation; manifest: as the bundle says; null: no limit.",
        )

    def __init__(self, config: Config, modalities: Sequence[str]) -> None:
        try:
            self.bundle = Bundle(config.path)
            self.bundle.require_sound_index()
        except InputError as error:
            raise InputError(f"dataset.path: {error.title}", error.problems) from None
        self.config = config
        self.labels, self.label_N = self._relabelled(config.labels)
        self._require(modalities)
        self.features = {m: self.bundle.features(m) for m in modalities}

    def _relabelled(self, label_map: Mapping[str, str | None] | None) -> tuple[tuple[str, ...], NDArray[np.int16]]:
        """Names of the emotions, and the label of each utterance, ``(N,)``."""
        labels_N, names = self.bundle.label, self.bundle.manifest.labels
        if label_map is None:
            return names, labels_N
        counts = np.bincount(labels_N[labels_N >= 0], minlength=len(names)).tolist()
        new = relabelling(label_map, names, counts, "in dataset.labels")
        return new.labels, new.apply(labels_N)

    def _require(self, modalities: Sequence[str]) -> None:
        try:
            self.bundle.require(modalities)
        except InputError as error:
            present = ",".join(self.bundle.manifest.modalities)
            way = f"To train on what it has: modalities=[{present}]" if present else "Import it again, with features."
            raise InputError(error.title, error.problems, way) from None

    @cached_property
    def info(self) -> DatasetInfo:
        """What the manifest says, for the modalities of the recipe; dialogues without a kept utterance do not count."""
        manifest = self.bundle.manifest
        return DatasetInfo(
            name=manifest.corpus,
            labels=self.labels,
            modalities={m: features.modality.width for m, features in self.features.items()},
            speakers=manifest.speakers.count,
            splits={name: len(self.split(name)) for name in manifest.splits},
        )

    def fingerprint(self) -> str:
        """That of the manifest, which has the digest of every file."""
        return self.bundle.fingerprint()

    def provenance(self) -> dict[str, str]:
        """What the manifest says of the licence, the importer and the files it read."""
        manifest = self.bundle.manifest
        told = {
            "licence": manifest.licence,
            "imported by": f"{manifest.made_by.importer}, ercframe {manifest.made_by.ercframe}",
            "from": ", ".join(f"{file.name} (SHA-256 {file.sha256})" for file in manifest.made_by.sources),
            "manifest": f"SHA-256 {self.bundle.fingerprint()}",
        }
        return {what: text for what, text in told.items() if text}

    def intake(self) -> Intake:
        """The extractors that the manifest names, then standardisation as here."""
        config = self.config
        return Intake(
            self.bundle.path,
            self.bundle.manifest.speakers,
            {
                m: Preparation(f.modality, f.statistics, config.standardise, self._clip(m))
                for m, f in self.features.items()
            },
        )

    def fitted_on(self, dialogues: Collection[str]) -> Self:
        """The same with the standardisation of these dialogues; all of their utterances count, scored or not."""
        wanted = set(dialogues)
        ranges = [self.bundle.rows(i) for i in range(len(self.bundle)) if self.bundle.dialogue_id(i) in wanted]
        fitted = copy(self)
        fitted.features = {m: features.fitted_on(ranges) for m, features in self.features.items()}
        return fitted

    def split(self, name: str) -> Dialogues:
        """The dialogues of a split, read when they are asked for."""
        kept_B = np.add.reduceat(self._kept, self.bundle.offsets[:-1], dtype=np.int64)
        return _Dialogues(self, [int(i) for i in self.bundle.dialogues(name) if kept_B[i]])

    @cached_property
    def _kept(self) -> NDArray[np.bool_]:
        """Which utterances of the bundle the model sees."""
        every = np.ones_like(self.label_N, dtype=np.bool_)
        return every if self.config.unscored == "context" else self.label_N >= 0

    def dialogue(self, index: int, modalities: Collection[str]) -> Dialogue:
        """Read one dialogue with some of the modalities."""
        start, stop = self.bundle.rows(index)
        kept = np.flatnonzero(self._kept[start:stop])
        return Dialogue(
            id=self.bundle.dialogue_id(index),
            features={m: torch.from_numpy(self._values(m, start, stop)[kept]) for m in modalities},
            available={m: torch.from_numpy(self.features[m].available[start:stop][kept]) for m in modalities},
            speaker=torch.from_numpy(self.bundle.speaker_ids(index)[kept]),
            labels=self.labels_of(index),
            utterances=_Utterances(self.bundle, index, kept),
            targets={t: torch.from_numpy(values[start:stop][kept]) for t, values in self.bundle.targets.items()},
            group=self.bundle.group_name(index),
        )

    def labels_of(self, index: int) -> Tensor:
        """The labels of one dialogue, of the utterances that the model sees, ``(L,)``."""
        start, stop = self.bundle.rows(index)
        return torch.from_numpy(self.label_N[start:stop][self._kept[start:stop]].astype(np.int64))

    def _values(self, modality: str, start: int, stop: int) -> Any:
        features = self.features[modality]
        if not self.config.standardise:
            return features.filled(start, stop)
        return features.standardised(start, stop, self._clip(modality))

    def _clip(self, modality: str) -> float | None:
        clip = self.config.clip
        return self.features[modality].modality.standardisation.clip if clip == "manifest" else clip


class _Dialogues(Dialogues):
    """Some dialogues of a bundle, read one at a time."""

    def __init__(self, dataset: BundleDataset, indices: list[int]) -> None:
        self._dataset, self._indices = dataset, indices

    def __len__(self) -> int:
        return len(self._indices)

    def read(self, index: int) -> Dialogue:
        return self._dataset.dialogue(self._indices[index], self._dataset.features)

    def labels(self, index: int) -> Tensor:
        return self._dataset.labels_of(self._indices[index])

    def outline(self, index: int) -> Dialogue:
        return self._dataset.dialogue(self._indices[index], ())


class _Utterances(Sequence[Utterance]):
    """What people read of a dialogue; parsed when the first utterance is asked for."""

    def __init__(self, bundle: Bundle, index: int, kept: Any) -> None:
        self._bundle, self._index, self._kept = bundle, index, kept

    @cached_property
    def _read(self) -> list[Utterance]:
        rows = self._bundle.record(self._index)["utterances"]
        shown = ("id", "speaker", "text", "start", "end")
        return [Utterance(**{key: rows[i][key] for key in shown if key in rows[i]}) for i in self._kept]

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, item: int) -> Utterance: ...
    @overload
    def __getitem__(self, item: slice) -> list[Utterance]: ...
    def __getitem__(self, item: int | slice) -> Utterance | list[Utterance]:
        return self._read[item]


@hookimpl
def ercframe_components() -> list[type[Dataset]]:
    return [BundleDataset]
