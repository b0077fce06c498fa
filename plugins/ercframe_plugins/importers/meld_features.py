"""MELD's features: arrays of an ``.npz`` file, joined with the annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ercframe import FeatureArray, Finding, NpzFile, Place, counted, describe_features, split_named
from ercframe_plugins.importers.meld_annotations import LABELS, Key, Row

# Shape letters: N utterances of the corpus, D features.

Features = dict[str, FeatureArray]


def join_features(
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
