"""Writing a bundle: all of it, or nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ercframe.data import standardise
from ercframe.data.findings import Finding
from ercframe.data.manifest import (
    DIALOGUES,
    INDEX,
    MANIFEST,
    MadeBy,
    Manifest,
    Modality,
    Noticed,
    Origin,
    Part,
    Speakers,
    SplitSizes,
    Standardisation,
)
from ercframe.data.records import (
    SPLITS,
    Corpus,
    DialogueRecord,
    FeatureArray,
    SourceFile,
    UtteranceRecord,
    all_nan,
    sha256,
)
from ercframe.data.speakers import most_at_once, names_sides, numbered
from ercframe.errors import InputError

# Shape letters: B dialogues, N utterances of the corpus, D features, K values of a target.

Arrays = dict[str, NDArray[Any]]
_PLACES_KEPT = 20  # of a finding, in the manifest


def write_bundle(
    corpus: Corpus,
    path: Path,
    importer: str,
    settings: Mapping[str, Any],
    *,
    version: str,
    force: bool = False,
    clip: float | None = standardise.CLIP,
    on_step: Callable[[str], None] = lambda step: None,
) -> Manifest:
    """Write a corpus as a bundle.

    The bundle is made in a hidden folder beside ``path`` and moved there when it is complete, so that whatever
    stops the process, ``path`` holds either what it held before or the whole new bundle.

    Args:
        corpus: what an importer read.
        path: folder of the bundle.
        importer: name of the importer, for the manifest.
        settings: its settings, for the manifest.
        version: version of ercframe, for the manifest.
        force: replace a bundle that is there.
        clip: largest absolute value after standardisation, recorded for loading.
        on_step: told in words what is being done.

    Raises:
        InputError: ``path`` is taken.
    """
    refuse_to_overwrite(path, force)
    with _made_beside(path) as folder:
        on_step(f"writing {corpus.name}: {len(corpus.dialogues):,} dialogues")
        lines_B = _write_dialogues(folder / DIALOGUES, corpus)
        index, names = _index(corpus, lines_B)
        save_file(index, folder / INDEX)
        modalities = {}
        for name, array in corpus.features.items():
            on_step(f"writing {name}: {array.values.shape[0]:,} × {array.values.shape[1]:,}")
            modalities[name] = write_modality(folder, name, array, _rows(index, "train"), clip)
        manifest = Manifest(
            corpus=corpus.name,
            licence=corpus.licence,
            made_by=MadeBy(
                ercframe=version,
                importer=importer,
                settings=dict(settings),
                sources=tuple(_origin(source) for source in corpus.sources),
            ),
            labels=corpus.labels,
            targets={
                name.removeprefix("target."): x.shape[1] for name, x in index.items() if name.startswith("target.")
            },
            speakers=_speakers(corpus, index, names),
            splits=_sizes(index),
            modalities=modalities,
            noticed=tuple(_noticed(finding) for finding in corpus.findings),
            files={str(f.relative_to(folder)): sha256(f) for f in sorted(folder.rglob("*")) if f.is_file()},
        )
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def refuse_to_overwrite(path: Path, force: bool) -> None:
    """Check that a bundle may be written to ``path``; importing first and asking afterwards would waste the work.

    Raises:
        InputError: it holds a bundle and ``force`` is false, or it holds something else.
    """
    if not path.exists() and not path.is_symlink():
        return
    if path.is_dir() and not any(path.iterdir()):
        return
    if not (path / MANIFEST).is_file():
        raise InputError(f"{path} exists and is no bundle; give a new folder (nothing but a bundle is ever replaced)")
    if not force:
        raise InputError(f"there is a bundle at {path} already; --force replaces it")


def write_modality(
    folder: Path, name: str, array: FeatureArray, train_rows: NDArray[np.intp], clip: float | None
) -> Modality:
    """Write ``features/NAME.safetensors`` and return its entry for the manifest."""
    available_N = ~all_nan(array.values)
    rows = train_rows[available_N[train_rows]]
    statistics, constant = standardise.fit(array.values, rows)
    file = Path("features") / f"{name}.safetensors"
    (folder / file.parent).mkdir(exist_ok=True)
    tensors: Arrays = {
        "values": np.ascontiguousarray(array.values),
        "available": available_N,
        "mean": statistics.mean,
        "scale": statistics.scale,
    }
    save_file(tensors, folder / file)
    return Modality.model_validate(
        {
            "file": file.as_posix(),
            "width": array.values.shape[1],
            "dtype": array.values.dtype.name,
            "available": int(available_N.sum()),
            "parts": tuple(Part(array=part, width=width) for part, width in array.parts.items()),
            "extractor": array.extractor,
            "version": array.version,
            "settings": dict(array.settings),
            "source": array.source and _origin(array.source),
            "standardisation": Standardisation(
                rows=len(rows), floor=standardise.FLOOR, clip=clip, constant=tuple(constant.tolist())
            ),
        }
    )


@contextmanager
def _made_beside(path: Path) -> Iterator[Path]:
    """A folder beside ``path`` that takes its place at the end; removed when anything goes wrong."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    folder, old = (path.parent / f".{path.name}.{role}-{os.getpid()}" for role in ("new", "old"))
    folder.mkdir()
    try:
        yield folder
        if path.exists():
            path.rename(old)
        folder.rename(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove_leftovers(path: Path) -> None:
    """Remove what imports that were killed left beside ``path``; a process that still lives keeps its folder."""
    for left in path.parent.glob(f".{path.name}.*-*"):
        process = left.name.rpartition("-")[2]
        if process.isdigit() and not _lives(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write_dialogues(path: Path, corpus: Corpus) -> NDArray[np.int64]:
    """Write ``dialogues.jsonl`` and return where each line starts, and where the last ends, ``(B + 1,)``."""
    starts = [0]
    with path.open("wb") as file:
        for dialogue in corpus.dialogues:
            line = json.dumps(_dialogue_json(dialogue), ensure_ascii=False, separators=(",", ":")) + "\n"
            starts.append(starts[-1] + file.write(line.encode("utf-8")))
    return np.array(starts, dtype=np.int64)


def _dialogue_json(dialogue: DialogueRecord) -> dict[str, Any]:
    return {
        "id": dialogue.id,
        "split": dialogue.split,
        "utterances": [_utterance_json(utterance) for utterance in dialogue.utterances],
    }


def _utterance_json(utterance: UtteranceRecord) -> dict[str, Any]:
    """Leave out what is not known; JSON has no NaN, so an unknown value of a target becomes null."""
    row: dict[str, Any] = {"id": utterance.id, "speaker": utterance.speaker, "label": utterance.label}
    for name in ("text", "start", "end", "media"):
        value = getattr(utterance, name)
        if value not in (None, "", {}):
            row[name] = value
    if utterance.targets:
        row["targets"] = {t: [None if v != v else v for v in values] for t, values in utterance.targets.items()}
    return row


def _index(corpus: Corpus, lines_B: NDArray[np.int64]) -> tuple[Arrays, list[str]]:
    """The arrays of ``index.safetensors``, and the distinct speaker names in order of first appearance."""
    utterances = [u for dialogue in corpus.dialogues for u in dialogue.utterances]
    ids = [dialogue.id.encode("utf-8") for dialogue in corpus.dialogues]
    speaker, names = numbered(u.speaker for u in utterances)
    index: Arrays = {
        "offsets": np.cumsum([0, *(len(dialogue.utterances) for dialogue in corpus.dialogues)], dtype=np.int64),
        "lines": lines_B,
        "ids": np.frombuffer(b"".join(ids), dtype=np.uint8),
        "id_offsets": np.cumsum([0, *map(len, ids)], dtype=np.int64),
        "split": np.array([SPLITS.index(dialogue.split) for dialogue in corpus.dialogues], dtype=np.uint8),
        "label": np.array([u.label for u in utterances], dtype=np.int16),
        "speaker": np.array(speaker, dtype=np.int32),
        "start": np.array([np.nan if u.start is None else u.start for u in utterances], dtype=np.float64),
        "end": np.array([np.nan if u.end is None else u.end for u in utterances], dtype=np.float64),
    }
    for target in utterances[0].targets if utterances else ():
        index[f"target.{target}"] = np.array([u.targets[target] for u in utterances], dtype=np.float32)
    return index, names


def _rows(index: Arrays, split: str) -> NDArray[np.intp]:
    """Rows of the utterances of a split."""
    wanted_B = index["split"] == SPLITS.index(split)
    return np.flatnonzero(np.repeat(wanted_B, np.diff(index["offsets"])))


def _sizes(index: Arrays) -> dict[Any, SplitSizes]:
    sizes = {}
    for i, split in enumerate(SPLITS):
        labels = index["label"][_rows(index, split)]
        dialogues = int((index["split"] == i).sum())
        if dialogues:
            sizes[split] = SplitSizes(dialogues=dialogues, utterances=len(labels), scored=int((labels >= 0).sum()))
    return sizes


def _speakers(corpus: Corpus, index: Arrays, names: list[str]) -> Speakers:
    sides = names_sides(corpus.dialogues)
    ids = corpus.speaker_ids or ("corpus" if sides else "order")
    shared = ids == "corpus"
    return Speakers(
        ids=ids,
        count=len(names) if shared else most_at_once(index["speaker"], index["offsets"]),
        names=tuple(names) if shared else (),
        are="sides" if sides else "people",
    )


def _origin(source: SourceFile) -> Origin:
    return Origin(name=source.name, sha256=source.sha256)


def _noticed(finding: Finding) -> Noticed:
    if finding.level == "error":
        raise ValueError(f"an importer must raise errors, not note them (got {finding.message!r})")
    places = tuple(str(place) for place in finding.places[:_PLACES_KEPT])
    return Noticed(level=finding.level, topic=finding.topic, message=finding.message, places=places)
