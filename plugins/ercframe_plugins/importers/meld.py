"""MELD: the published annotation files, joined with features from an ``.npz`` file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ercframe import (
    ComponentConfig,
    Corpus,
    DialogueRecord,
    FeatureArray,
    Finding,
    Importer,
    NpzFile,
    Place,
    SourceFile,
    UtteranceRecord,
    counted,
    describe_features,
    hookimpl,
    split_named,
)
from ercframe_plugins.importers.meld_annotations import FILES, LABELS, Key, Row, by_dialogue, read_rows, write_example
from ercframe_plugins.importers.meld_faults import find_faults

# Shape letters: N utterances of the corpus, D features.

Features = dict[str, FeatureArray]


class MeldImporter(Importer):
    """MELD (Poria et al., ACL 2019) from its three annotation files, with features where there are some.

    Dialogues are numbered anew in every split, so their ids here are ``train_0``, ``dev_0``, … Features are joined
    on split, dialogue and utterance; an utterance that they lack is not available. Faults of the corpus are
    reported, never repaired: results stay comparable.
    """

    name = "meld"

    class Config(ComponentConfig):
        features: Path | None = Field(
            None, description="An .npz file with split, dialogue, utterance, perhaps label and label_names, and arrays."
        )
        modalities: dict[str, tuple[str, ...]] = Field(
            {}, description="Modality to the 2-D arrays of that file that are joined for it, in order."
        )
        speaker_ids: Literal["corpus", "order"] = Field(
            "order",
            description="order: count the speakers of each dialogue, nine at most. corpus: an id for each name, 304.",
        )

        @model_validator(mode="after")
        def _features_have_modalities(self) -> Self:
            if bool(self.features) != bool(self.modalities):
                got, lacks = ("features", "modalities") if self.features else ("modalities", "features")
                raise ValueError(f"features and modalities must come together (got {got} without {lacks})")
            return self

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def example_source(cls, folder: Path) -> tuple[Path, Mapping[str, object]]:
        """The three tables, each with one dialogue in which everybody feels something else."""
        write_example(folder)
        return folder, {}

    def read(self, source: Path) -> Corpus:
        """Read ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and ``test_sent_emo.csv`` from a folder."""
        rows = read_rows(source)
        labels, features, findings = LABELS, Features(), list[Finding]()
        if self.config.features:
            labels, features, findings = _join(NpzFile(self.config.features), self.config.modalities, rows)
        return Corpus(
            name="MELD",
            labels=labels,
            dialogues=tuple(_dialogues(rows, labels)),
            features=features,
            licence="Annotations: GPL-3.0 (MELD, Poria et al. 2019). Features: derived, for research.",
            speaker_ids=self.config.speaker_ids,
            sources=tuple(SourceFile.of(source / name) for name in FILES.values()),
            findings=(*find_faults(rows), *findings),
        )


def _dialogues(rows: Sequence[Row], labels: tuple[str, ...]) -> Iterator[DialogueRecord]:
    for name, of_one in by_dialogue(rows).items():
        utterances = tuple(
            UtteranceRecord(row.id, row.speaker, labels.index(row.emotion), row.text, row.start, row.end)
            for row in of_one
        )
        yield DialogueRecord(name, of_one[0].split, utterances)


def _join(
    file: NpzFile, modalities: dict[str, tuple[str, ...]], rows: Sequence[Row]
) -> tuple[tuple[str, ...], Features, list[Finding]]:
    """Labels in the file's order, its features in the order of the rows, and what was noticed.

    Raises:
        InputError: the file cannot be used, or contradicts the annotations.
    """
    labels = tuple(file.strings("label_names") or ()) if "label_names" in file.names else LABELS
    if sorted(labels) != sorted(LABELS):
        file.note("label_names", f"must be MELD's {', '.join(LABELS)} in any order (got {', '.join(labels) or 'none'})")
    columns = _read_columns(file)
    found = file.modalities(modalities, len(next(iter(columns.values()), ())))
    row_of = {key: i for i, key in enumerate(_keys(columns))}
    _compare(file, columns, labels, row_of, rows)
    file.refuse_problems()
    index_N = np.array([row_of.get(row.key, -1) for row in rows])
    features = {m: replace(array, values=_take(array.values, index_N)) for m, array in found.items()}
    places = [row.place for row in rows]
    return labels, features, [*_unmatched(set(row_of), rows), *describe_features(features, places)]


def _read_columns(file: NpzFile) -> dict[str, list[Any]]:
    columns = {
        "split": file.strings("split"),
        "dialogue": file.integers("dialogue"),
        "utterance": file.integers("utterance"),
    }
    if "label" in file.names:
        columns["label"] = file.integers("label")
    return file.equal(columns, {name: name for name in columns})


def _keys(columns: Mapping[str, list[Any]]) -> list[Key]:
    """Split, dialogue and utterance of every row; none where a column cannot be used."""
    if not {"split", "dialogue", "utterance"} <= columns.keys():
        return []
    splits = [split_named(name) or name for name in columns["split"]]
    return list(zip(splits, columns["dialogue"], columns["utterance"], strict=True))


def _compare(
    file: NpzFile,
    columns: Mapping[str, list[Any]],
    labels: tuple[str, ...],
    row_of: Mapping[Key, int],
    rows: Sequence[Row],
) -> None:
    """Note where the file contradicts the annotations: its features would belong to other utterances."""
    repeated = [f"{key_name(key)} {n} times" for key, n in Counter(_keys(columns)).items() if n > 1]
    file.note_examples("split, dialogue, utterance", "must be unique", repeated)
    shared = [row for row in rows if row.key in row_of]
    if row_of and not shared:
        file.note("", "must hold utterances of these annotation files (got none)")
    if "label" in columns:
        named = dict(enumerate(labels))
        given = {row.key: named.get(label := columns["label"][row_of[row.key]], f"label {label}") for row in shared}
        wrong = [
            f"{given[row.key]} for {row.id}, which is {row.emotion}" for row in shared if given[row.key] != row.emotion
        ]
        file.note_examples("label", "must be the emotion of the annotation files", wrong)


def _take(values: Any, index_N: Any) -> Any:
    """Rows in the order of the annotations, ``(N, D)``; NaN where the file has none."""
    taken = values[np.maximum(index_N, 0)].copy()
    taken[index_N < 0] = np.nan
    return taken


def _unmatched(present: set[Key], rows: Sequence[Row]) -> Iterator[Finding]:
    lacking = [row for row in rows if row.key not in present]
    if lacking:
        text = f"{counted(len(lacking), 'utterance')} without a row in the features: not available"
        yield Finding("warning", "no features", text, tuple(row.place for row in lacking))
    extra = sorted(present - {row.key for row in rows})
    if extra:
        text = f"{counted(len(extra), 'row')} of the features without an utterance: left out"
        places = tuple(Place(f"{split}_{dialogue}", key_name((split, dialogue, n))) for split, dialogue, n in extra)
        yield Finding("warning", "no annotation", text, places)


def key_name(key: Key) -> str:
    """The utterance's id in the bundle."""
    split, dialogue, utterance = key
    return f"{split}_{dialogue}_{utterance}"


@hookimpl
def ercframe_components() -> list[type[Importer]]:
    return [MeldImporter]
