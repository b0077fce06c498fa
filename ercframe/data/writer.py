"""Writing a bundle: all of it, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data import standardise
from ercframe.data.corpus_faults import corpus_faults
from ercframe.data.findings import Finding
from ercframe.data.index import TARGET, Arrays, build_index, split_rows, split_sizes
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
from ercframe.data.new_folder import new_folder, refuse_to_overwrite
from ercframe.data.records import Corpus, DialogueRecord, FeatureArray, SourceFile, UtteranceRecord, all_nan, sha256
from ercframe.data.speakers import most_at_once, names_sides
from ercframe.errors import InputError
from ercframe.tensor_files import save_arrays
from ercframe.wording import counted

# Shape letters: B dialogues, N utterances of the corpus, D features.

_PLACES_KEPT = 20  # of a finding, in the manifest


def write_bundle(
    corpus: Corpus,
    path: Path,
    made_by: MadeBy,
    *,
    force: bool = False,
    clip: float | None = standardise.CLIP,
    on_step: Callable[[str], None] = lambda step: None,
) -> Manifest:
    """Write a corpus as a bundle, which appears at ``path`` when it is complete.

    Args:
        corpus: what an importer read.
        path: folder of the bundle.
        made_by: what is writing it.
        force: replace a bundle that is there.
        clip: largest absolute value after standardisation, recorded for loading.
        on_step: told in words what is being done.

    Raises:
        InputError: ``path`` is taken, or the corpus contradicts itself.
    """
    refuse_to_overwrite(path, force, MANIFEST, "bundle")
    problems = list(corpus_faults(corpus))
    if problems:
        raise InputError(f"importer '{made_by.importer}' returned a corpus that cannot be a bundle", problems)
    with new_folder(path, replace=force) as folder:
        on_step(f"writing {counted(len(corpus.dialogues), 'dialogue')}")
        lines_B = _write_dialogues(folder / DIALOGUES, corpus)
        index, names = build_index(corpus.dialogues, lines_B)
        save_arrays(folder / INDEX, index)
        modalities = {}
        for name, array in corpus.features.items():
            on_step(f"writing {name}, {array.values.shape[0]:,} × {array.values.shape[1]:,}")
            modalities[name] = write_modality(folder, name, array, split_rows(index, "train"), clip)
        on_step("writing the manifest")
        manifest = Manifest(
            corpus=corpus.name,
            licence=corpus.licence,
            made_by=made_by,
            labels=corpus.labels,
            label_map=None if corpus.label_map is None else dict(corpus.label_map),
            groups=tuple(dict.fromkeys(d.group for d in corpus.dialogues if d.group)),
            targets={name.removeprefix(TARGET): x.shape[1] for name, x in index.items() if name.startswith(TARGET)},
            speakers=_speakers(corpus, index, names),
            splits={
                split: SplitSizes(dialogues=dialogues, utterances=utterances, scored=scored)
                for split, (dialogues, utterances, scored) in split_sizes(index).items()
            },
            modalities=modalities,
            noticed=tuple(noticed(finding) for finding in corpus.findings),
            files={f.relative_to(folder).as_posix(): sha256(f) for f in sorted(folder.rglob("*")) if f.is_file()},
        )
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def write_modality(
    folder: Path, name: str, array: FeatureArray, train_rows: NDArray[np.intp], clip: float | None
) -> Modality:
    """Write ``features/NAME.safetensors`` and return its entry for the manifest.

    Args:
        folder: of the bundle.
        name: of the modality.
        array: its values, ``(N, D)``.
        train_rows: rows of the training split.
        clip: largest absolute value after standardisation.
    """
    available_N = ~all_nan(array.values)
    rows = train_rows[available_N[train_rows]]
    statistics, constant = standardise.fit(standardise.in_pieces(array.values, rows), array.values.shape[1])
    file = Path("features") / f"{name}.safetensors"
    tensors: Arrays = {
        "values": array.values,
        "available": available_N,
        "mean": statistics.mean,
        "scale": statistics.scale,
    }
    save_arrays(folder / file, tensors)
    standardisation = Standardisation(
        rows=len(rows), floor=standardise.FLOOR, clip=clip, constant=tuple(constant.tolist())
    )
    return Modality(
        file=file.as_posix(),
        width=array.values.shape[1],
        dtype=array.values.dtype.name,
        available=int(available_N.sum()),
        parts=tuple(Part(array=part, width=width) for part, width in array.parts.items()),
        extractor=array.extractor,
        version=array.version,
        settings=dict(array.settings),
        source=origin(array.source) if array.source else None,
        standardisation=standardisation,
    )


def origin(source: SourceFile) -> Origin:
    """A source file as the manifest names it."""
    return Origin(name=source.name, sha256=source.sha256)


def _write_dialogues(path: Path, corpus: Corpus) -> NDArray[np.int64]:
    """Write ``dialogues.jsonl`` and return where each line starts, and where the last ends, ``(B + 1,)``."""
    starts = [0]
    with path.open("wb") as file:
        for dialogue in corpus.dialogues:
            line = json.dumps(_dialogue_json(dialogue), ensure_ascii=False, separators=(",", ":")) + "\n"
            starts.append(starts[-1] + file.write(line.encode("utf-8")))
    return np.array(starts, dtype=np.int64)


def _dialogue_json(dialogue: DialogueRecord) -> dict[str, Any]:
    utterances = [_utterance_json(utterance) for utterance in dialogue.utterances]
    group = {"group": dialogue.group} if dialogue.group else {}
    return {"id": dialogue.id, "split": dialogue.split, **group, "utterances": utterances}


def _utterance_json(utterance: UtteranceRecord) -> dict[str, Any]:
    """Leave out what is not known; JSON has no NaN, so an unknown value of a target becomes null."""
    row: dict[str, Any] = {"id": utterance.id, "speaker": utterance.speaker, "label": utterance.label}
    for name in ("text", "start", "end", "media"):
        value = getattr(utterance, name)
        if value not in (None, "", {}):
            row[name] = value
    if utterance.targets:
        row["targets"] = {
            name: [None if np.isnan(v) else v for v in values] for name, values in utterance.targets.items()
        }
    return row


def _speakers(corpus: Corpus, index: Arrays, names: list[str]) -> Speakers:
    sides = names_sides(corpus.dialogues)
    ids = corpus.speaker_ids or ("corpus" if sides else "order")
    return Speakers(
        ids=ids,
        count=len(names) if ids == "corpus" else most_at_once(index["speaker"], index["offsets"]),
        names=tuple(names) if ids == "corpus" else (),
        are="sides" if sides else "people",
    )


def noticed(finding: Finding) -> Noticed:
    """A finding as the manifest keeps it, with the first of its places."""
    if finding.level == "error":
        raise ValueError(f"an importer must raise an error, not note it (got {finding.message!r})")
    places = tuple(str(place) for place in finding.places[:_PLACES_KEPT])
    return Noticed(level=finding.level, topic=finding.topic, message=finding.message, places=places)
