"""Reading a bundle: memory-mapped arrays, and the text only when somebody asks for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ercframe.data import standardise
from ercframe.data.findings import Place
from ercframe.data.index import TARGET, index_shapes, split_sizes
from ercframe.data.manifest import DIALOGUES, INDEX, MANIFEST, Modality, read_manifest
from ercframe.data.records import SPLITS
from ercframe.data.speakers import NOBODY, by_appearance
from ercframe.errors import InputError, nearest
from ercframe.wording import counted

# Shape letters: B dialogues, N utterances of the bundle, L of one dialogue, R rows of a slice, D features,
# K values of a target.

_SPLIT_INDEX: dict[str, int] = {name: i for i, name in enumerate(SPLITS)}


class Features:
    """The features of one modality; rows are read from the memory-mapped file as they are asked for.

    Attributes:
        modality: its entry in the manifest.
        available: which utterances have it, ``(N,)``.
        statistics: mean and scale of every column, ``(D,)`` each.
    """

    def __init__(self, bundle: Path, modality: Modality, utterances: int) -> None:
        self.modality, self._path = modality, bundle / modality.file
        shapes: dict[str, tuple[int | None, ...]] = {
            "values": (utterances, modality.width),
            "available": (utterances,),
            "mean": (modality.width,),
            "scale": (modality.width,),
        }
        stored = _tensors(self._path, shapes, except_for="values")
        self.available: NDArray[np.bool_] = stored["available"]
        self.statistics = standardise.Statistics(stored["mean"], stored["scale"])

    @cached_property
    def _values(self) -> Any:
        return safe_open(self._path, framework="np").get_slice("values")  # type: ignore[no-untyped-call]

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Raw values of rows ``start`` to ``stop``, ``(R, D)``."""
        values: NDArray[Any] = self._values[start:stop]
        return values

    def pieces(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """All rows, raw, ``(R, D)`` at a time, each piece with its first row."""
        rows, step = len(self.available), standardise.rows_in_a_piece(self.modality.width)
        for start in range(0, rows, step):
            yield start, self.rows(start, min(start + step, rows))

    def standardised(self, start: int, stop: int, clip: float | None) -> NDArray[np.float32]:
        """Rows with unknown values and missing rows at 0, ``(R, D)``; see :mod:`ercframe.data.standardise`."""
        return standardise.apply(self.rows(start, stop), self.available[start:stop], self.statistics, clip)

    def filled(self, start: int, stop: int) -> NDArray[np.float32]:
        """Raw rows with unknown values at the training mean and missing rows at 0, ``(R, D)``."""
        return standardise.fill(self.rows(start, stop), self.available[start:stop], self.statistics)

    def __getstate__(self) -> dict[str, Any]:
        # An open file cannot travel to another process; there it is opened again.
        return {name: value for name, value in self.__dict__.items() if name != "_values"}


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
        index = _tensors(path / INDEX, shapes)
        self.offsets, self.split, self._lines = index["offsets"], index["split"], index["lines"]
        self._ids, self._id_offsets = index["ids"], index["id_offsets"]
        self.label, self.speaker, self.start, self.end = (index[k] for k in ("label", "speaker", "start", "end"))
        self.targets = {name: index[TARGET + name] for name in self.manifest.targets}
        self.group: NDArray[np.int32] = index.get("group", np.full(manifest.dialogues, -1, dtype=np.int32))
        self._check_dialogues_file()

    def _check_dialogues_file(self) -> None:
        path = self.path / DIALOGUES
        if not path.is_file():
            raise _damaged(path, "it is missing")
        if path.stat().st_size != self._lines[-1]:
            raise _damaged(path, f"it must have {self._lines[-1]:,} bytes (got {path.stat().st_size:,})")

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
            raise _damaged(self.path / INDEX, "; ".join(faults))

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
            raise _damaged(self.path / DIALOGUES, f"dialogue {dialogue}: {error}") from None
        return record


def _tensors(path: Path, shapes: Mapping[str, tuple[int | None, ...]], except_for: str = "") -> dict[str, NDArray[Any]]:
    """Read the arrays of a file, each of which must have the shape that the manifest promises (None: any length)."""
    if not path.is_file():
        raise _damaged(path, "it is missing")
    try:
        with safe_open(path, framework="np") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            wrong = [
                f"'{name}' must be {list(shape)} (got {list(found[name]) if name in found else 'nothing'})"
                for name, shape in shapes.items()
                if name not in found or not _fits(found[name], shape)
            ]
            if wrong:
                raise _damaged(path, "; ".join(wrong))
            return {name: file.get_tensor(name) for name in shapes if name != except_for}
    except (SafetensorError, OSError) as error:
        raise _damaged(path, str(error)) from None


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(w in (None, f) for f, w in zip(found, wanted, strict=True))


def _sizes(sizes: tuple[int, int, int]) -> str:
    dialogues, utterances, scored = sizes
    return f"{counted(dialogues, 'dialogue')}, {counted(utterances, 'utterance')}, {scored:,} scored"


def _damaged(path: Path, cause: str) -> InputError:
    return InputError(f"the bundle is damaged: {path}: {cause}; import it again")
