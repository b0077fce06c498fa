"""Reading a bundle: memory-mapped arrays, and the text only when somebody asks for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data.features import Features
from ercframe.data.findings import Place
from ercframe.data.index import TARGET, index_shapes, split_sizes
from ercframe.data.manifest import DIALOGUES, INDEX, MANIFEST, read_manifest
from ercframe.data.records import SPLITS
from ercframe.data.speakers import NOBODY, by_appearance
from ercframe.data.stored import damaged, read_arrays
from ercframe.errors import InputError, nearest
from ercframe.wording import counted

# Shape letters: B dialogues, N utterances of the bundle, L of one dialogue, K values of a target.

_SPLIT_INDEX: dict[str, int] = {name: i for i, name in enumerate(SPLITS)}


class Bundle:
    """A bundle on disk. Opening reads the manifest and the index, not the dialogues.

    Attributes:
        path: its folder.
        manifest: what it says of itself.
        offsets: first row of each dialogue, and the number of utterances at the end, ``(B + 1,)``.
        split: index into ``train, dev, test`` of each dialogue, ``(B,)``.
        group: index into the manifest's groups of each dialogue, ``(B,)``; -1 where it has none.
        label: emotion of each utterance, ``(N,)``; -1 where not scored.
        speaker: number of each utterance's speaker name, counted over the corpus, ``(N,)``; -1 where there is none.
        start: seconds, ``(N,)``; NaN where unknown.
        end: seconds, ``(N,)``; NaN where unknown.
        targets: further targets, ``(N, K)``; NaN where unknown.

    Raises:
        InputError: there is no bundle at ``path``, or one of these files is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.manifest = path, read_manifest(path)
        manifest = self.manifest
        shapes = index_shapes(manifest.dialogues, manifest.utterances, manifest.targets, bool(manifest.groups))
        index = read_arrays(path / INDEX, shapes)
        self.offsets, self.split, self._lines = index["offsets"], index["split"], index["lines"]
        self._ids, self._id_offsets = index["ids"], index["id_offsets"]
        self.label, self.speaker, self.start, self.end = (index[k] for k in ("label", "speaker", "start", "end"))
        self.targets = {name: index[TARGET + name] for name in self.manifest.targets}
        self.group: NDArray[np.int32] = index.get("group", np.full(manifest.dialogues, -1, dtype=np.int32))
        self._check_dialogues_file()

    def _check_dialogues_file(self) -> None:
        path = self.path / DIALOGUES
        if not path.is_file():
            raise damaged(path, "it is missing")
        if path.stat().st_size != self._lines[-1]:
            raise damaged(path, f"it must have {self._lines[-1]:,} bytes (got {path.stat().st_size:,})")

    def __len__(self) -> int:
        return len(self.split)

    def fingerprint(self) -> str:
        """SHA-256 of the manifest, which holds that of every other file."""
        return hashlib.sha256((self.path / MANIFEST).read_bytes()).hexdigest()

    @property
    def divided(self) -> bool:
        """Whether every utterance is in one dialogue, so that a row has a place."""
        lengths = np.diff(self.offsets)
        return bool(self.offsets[0] == 0 and (lengths >= 1).all() and self.offsets[-1] == len(self.label))

    def index_faults(self) -> Iterator[str]:
        """What in the index cannot be right, or is not what the manifest says: training would use other data."""
        if not self.divided:
            yield "the index must divide the utterances into dialogues of at least one each"
            return
        if not np.isin(self.split, range(len(SPLITS))).all():
            yield f"splits must be {', '.join(SPLITS)}"
        if not ((self.group >= -1) & (self.group < len(self.manifest.groups))).all():
            yield f"groups must be -1 to {len(self.manifest.groups) - 1}"
        found = split_sizes({"offsets": self.offsets, "split": self.split, "label": self.label})
        for name in SPLITS:
            size = self.manifest.splits.get(name)
            told = (size.dialogues, size.utterances, size.scored) if size else (0, 0, 0)
            if found.get(name, (0, 0, 0)) != told:
                yield f"{name} must have {_sizes(told)} (got {_sizes(found.get(name, (0, 0, 0)))})"

    def labels_out_of_range(self) -> NDArray[np.intp]:
        """Rows with a label that is neither -1 nor one of the manifest's."""
        return np.flatnonzero((self.label < -1) | (self.label >= len(self.manifest.labels)))

    def require_sound_index(self) -> None:
        """Refuse an index that contradicts itself or the manifest.

        Raises:
            InputError: it does.
        """
        faults = list(self.index_faults())
        if wrong := len(self.labels_out_of_range()):
            faults.append(f"labels must be -1 to {len(self.manifest.labels) - 1} (got {wrong:,} others)")
        if faults:
            raise damaged(self.path / INDEX, "; ".join(faults))

    def dialogues(self, split: str) -> NDArray[np.intp]:
        """Indices of the dialogues of a split; none where there is no such split."""
        return np.flatnonzero(self.split == _SPLIT_INDEX.get(split, len(SPLITS)))

    def dialogue_id(self, dialogue: int) -> str:
        """Id of a dialogue."""
        start, stop = self._id_offsets[dialogue : dialogue + 2]
        return self._ids[start:stop].tobytes().decode("utf-8")

    def group_name(self, dialogue: int) -> str:
        """Group of a dialogue, such as its recording session; empty where it has none."""
        group = int(self.group[dialogue])
        return self.manifest.groups[group] if group >= 0 else ""

    def utterance_rows(self, split: str) -> NDArray[np.intp]:
        """Rows of the utterances of a split."""
        wanted_B = self.split == _SPLIT_INDEX.get(split, len(SPLITS))
        return np.flatnonzero(np.repeat(wanted_B, np.diff(self.offsets)))

    def class_counts(self, split: str) -> NDArray[np.int64]:
        """Scored utterances of each emotion in a split, in the order of the labels."""
        labels = self.label[self.utterance_rows(split)]
        return np.bincount(labels[labels >= 0], minlength=len(self.manifest.labels))

    def rows(self, dialogue: int) -> tuple[int, int]:
        """First row of a dialogue, and the row after its last."""
        return int(self.offsets[dialogue]), int(self.offsets[dialogue + 1])

    def speaker_ids(self, dialogue: int) -> NDArray[np.int64]:
        """The ids that a model sees, ``(L,)``, as ``manifest.speakers`` explains; its ``count`` is "unknown"."""
        start, stop = self.rows(dialogue)
        names = self.speaker[start:stop].astype(np.int64)
        ids = names if self.manifest.speakers.ids == "corpus" else by_appearance(names)
        return np.where(ids == NOBODY, self.manifest.speakers.count, ids)

    def features(self, modality: str) -> Features:
        """Open the features of a modality.

        Raises:
            InputError: the bundle has no such modality, or its file is missing or damaged.
        """
        self.require([modality])
        return Features(self.path, self.manifest.modalities[modality], self.manifest.utterances)

    def require(self, modalities: Iterable[str]) -> None:
        """Check that the bundle has these modalities.

        Raises:
            InputError: it lacks some; names those it has and the nearest.
        """
        present = self.manifest.modalities
        missing = [m for m in modalities if m not in present]
        if missing:
            hint = next((h for m in missing if (h := nearest(m, present))), "")
            named = ", ".join(f"'{m}'" for m in missing)
            lacking = "modality" if len(missing) == 1 else "modalities"
            raise InputError(f"{self.path} has no {lacking} {named}; it has {', '.join(present) or 'none'}{hint}")

    def places(self, rows: Sequence[int]) -> Iterator[Place]:
        """Dialogue and utterance of some rows; the utterance's number from 0 where its line cannot be read."""
        dialogues = np.searchsorted(self.offsets, rows, side="right") - 1
        at_hand, ids = -1, list[str]()
        for row, dialogue in zip(rows, dialogues.tolist(), strict=True):
            if dialogue != at_hand:
                at_hand, ids = dialogue, self._utterance_ids(dialogue)
            yield Place(self.dialogue_id(dialogue), ids[row - int(self.offsets[dialogue])])

    def _utterance_ids(self, dialogue: int) -> list[str]:
        try:
            return [str(utterance["id"]) for utterance in self.record(dialogue)["utterances"]]
        except (InputError, KeyError, TypeError):
            return list(map(str, range(int(self.offsets[dialogue + 1] - self.offsets[dialogue]))))

    def record(self, dialogue: int) -> dict[str, Any]:
        """A dialogue as it stands in ``dialogues.jsonl``: id, split, utterances."""
        with (self.path / DIALOGUES).open("rb") as file:
            return self._parse(file, dialogue)

    def records(self) -> Iterator[dict[str, Any]]:
        """All dialogues as they stand in ``dialogues.jsonl``, one at a time."""
        with (self.path / DIALOGUES).open("rb") as file:
            for dialogue in range(len(self)):
                yield self._parse(file, dialogue)

    def _parse(self, file: Any, dialogue: int) -> dict[str, Any]:
        start, stop = int(self._lines[dialogue]), int(self._lines[dialogue + 1])
        file.seek(start)
        try:
            record: dict[str, Any] = json.loads(file.read(stop - start))
            if len(record["utterances"]) != self.offsets[dialogue + 1] - self.offsets[dialogue]:
                raise ValueError("its utterances are not those of the index")
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(self.path / DIALOGUES, f"dialogue {dialogue}: {error}") from None
        return record


def _sizes(sizes: tuple[int, int, int]) -> str:
    dialogues, utterances, scored = sizes
    return f"{counted(dialogues, 'dialogue')}, {counted(utterances, 'utterance')}, {scored:,} scored"
