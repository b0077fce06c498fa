"""Conversations from one ``.npz`` file of columns and feature arrays."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from ercframe import (
    ComponentConfig,
    Corpus,
    DialogueRecord,
    Importer,
    NpzFile,
    Place,
    Settings,
    UtteranceRecord,
    describe_features,
    hookimpl,
    split_named,
)

# Shape letters: N utterances, D features, K values of a target.

EXAMPLE = {"first": "train", "second": "dev", "third": "test"}
"""Dialogues of the example source and their splits."""

OPTIONAL = ("start", "end", "text", "group")
"""Columns that a file may lack."""

UNSCORED = -1
"""Label of an utterance that is context only."""


class Columns(Settings):
    """Which array of the file says what. Optional ones are used where the file has them."""

    utterance: str = Field("utterance_id", description="Id of the utterance, unique in the file.")
    dialogue: str = Field("dialogue", description="Id of its dialogue.")
    order: str = Field("order", description="Place in the dialogue; numbers to sort by.")
    speaker: str = Field("speaker", description="Name of the speaker.")
    split: str = Field("split", description="train, dev (or valid, validation, val) or test.")
    label: str = Field(
        "label",
        description="Index into label_names, or the name itself; -1, or no text, for an utterance that is not scored.",
    )
    label_names: str = Field("label_names", description="Names of the emotions; may be absent where labels are names.")
    start: str = Field("start", description="Start in seconds; optional.")
    end: str = Field("end", description="End in seconds; optional.")
    text: str = Field("text", description="Transcript; optional.")
    group: str = Field("group", description="Of the dialogue, such as its recording session; optional.")


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"must be a regular expression (got '{pattern}': {error})") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class NpzImporter(Importer):
    """Conversations from one .npz file: a row for each utterance in every array.

    Rows may come in any order: those of a dialogue are sorted by ``order``, dialogues stay in order of first
    appearance. Nothing is unpickled.
    """

    name = "npz"

    class Config(ComponentConfig):
        modalities: dict[str, tuple[str, ...]] = Field(
            {}, description="Modality to the 2-D arrays that are joined for it, in order."
        )
        targets: tuple[str, ...] = Field((), description="2-D arrays to keep as further targets, such as vad.")
        corpus: str = Field("", description="Name of the corpus; empty takes the file's name.")
        licence: str = Field("", description="Terms of use, for the manifest.")
        speaker_ids: Literal["corpus", "order"] | None = Field(
            None,
            description="corpus: a name is the same speaker everywhere. order: count the speakers of each dialogue. "
            "null: corpus where the same names recur in nearly every dialogue, else order.",
        )
        columns: Columns = Field(Columns(), description="Names of the arrays that say who, when and what.")
        group_pattern: Pattern = Field(
            "",
            description="Regular expression, where the file has no group: what of the beginning of a dialogue's id it "
            "matches is the dialogue's group, as 'Ses\\d\\d' is in Ses05F_impro01.",
        )

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def example_source(cls, folder: Path) -> tuple[Path, Mapping[str, object]]:
        """Three dialogues of two utterances, one of them without audio."""
        turns = [(dialogue, split, turn) for dialogue, split in EXAMPLE.items() for turn in range(2)]
        audio_ND = np.arange(3.0 * len(turns)).reshape(-1, 3)
        audio_ND[1] = np.nan
        np.savez(
            folder / "example.npz",
            utterance_id=np.array([f"{dialogue}_{turn}" for dialogue, _, turn in turns]),
            dialogue=np.array([dialogue for dialogue, _, _ in turns]),
            order=np.array([turn for _, _, turn in turns]),
            speaker=np.array(["Ann", "Bob"] * len(EXAMPLE)),
            split=np.array([split for _, split, _ in turns]),
            label=np.array([turn for _, _, turn in turns]),
            label_names=np.array(["joy", "anger"]),
            words=np.arange(2.0 * len(turns)).reshape(-1, 2) ** 2,
            pitch=audio_ND,
        )
        return folder / "example.npz", {"modalities": {"text": ("words",), "audio": ("pitch",)}}

    def read(self, source: Path) -> Corpus:
        """Read the file; its columns are explained in the config."""
        file = NpzFile(source)
        names = self.config.columns
        columns = _read_columns(file, names)
        labels = _read_labels(file, names, columns)
        _check_columns(file, columns, labels, names)
        rows = len(next(iter(columns.values()), ()))
        targets = {
            name: x for name in self.config.targets if (x := file.table(name, rows, f"target {name}")) is not None
        }
        features = file.modalities(self.config.modalities, rows)
        if not self.config.modalities:
            there = ", ".join(file.tables(rows)) or "none"
            file.note("", f"must have a modality: --modality NAME=ARRAY,… (arrays that can be one: {there})")
        file.refuse_problems(_naming_help(file, names))
        dialogues, row_N = _arrange(columns, targets, self.config.group_pattern)
        features = {m: replace(array, values=array.values[row_N]) for m, array in features.items()}
        places = [Place(d.id, u.id) for d in dialogues for u in d.utterances]
        return Corpus(
            name=self.config.corpus or source.stem,
            labels=labels,
            dialogues=dialogues,
            features=features,
            licence=self.config.licence,
            speaker_ids=self.config.speaker_ids,
            sources=(file.source,),
            findings=tuple(describe_features(features, places, self.config.targets)),
        )


def _read_columns(file: NpzFile, names: Columns) -> dict[str, list[Any]]:
    """The columns that can be used, all of one length; what is wrong with the others is noted in ``file``."""
    readers = {"order": file.numbers, "label": file.integers_or_text, "start": file.numbers, "end": file.numbers}
    columns = {}
    for role, name in _roles(names).items():
        if role not in OPTIONAL or name in file.names or role in names.model_fields_set:
            columns[role] = readers.get(role, file.strings)(name)
    return file.equal(columns, _roles(names))


def _read_labels(file: NpzFile, names: Columns, columns: dict[str, list[Any]]) -> tuple[str, ...]:
    """The names of the emotions; labels that are names become indices.

    Without an array of them they are those that occur, by the alphabet.
    """
    found = columns.get("label", [])
    if not any(isinstance(label, str) for label in found):
        return tuple(file.strings(names.label_names) or ())
    if names.label_names in file.names or "label_names" in names.model_fields_set:
        labels = tuple(file.strings(names.label_names) or ())
    else:
        labels = tuple(sorted({label for label in found if label}))
    index = {"": UNSCORED} | {name: i for i, name in enumerate(labels)}
    wrong = [f"{name!r} {n} times" for name, n in Counter(found).items() if name not in index]
    file.note_examples(names.label, f"must be among {names.label_names}", wrong if labels else [])
    columns["label"] = [index.get(name, UNSCORED) for name in found]
    return labels


def _naming_help(file: NpzFile, names: Columns) -> str:
    """How to say that a column has another name, where one was not found."""
    absent = [r for r, name in {**_roles(names), "label_names": names.label_names}.items() if name not in file.names]
    absent = [role for role in absent if role not in OPTIONAL]
    there = ", ".join(file.names) or "none"
    return f"columns.{absent[0]}=NAME says which array it is; arrays in the file: {there}" if absent else ""


def _roles(names: Columns) -> dict[str, str]:
    """The array of each column, by what it means."""
    return {role: getattr(names, role) for role in Columns.model_fields if role != "label_names"}


def _check_columns(file: NpzFile, columns: Mapping[str, list[Any]], labels: tuple[str, ...], names: Columns) -> None:
    """Note every kind of value that cannot be right, with the first examples."""
    ids, dialogues, splits, order = (columns.get(role, []) for role in ("utterance", "dialogue", "split", "order"))
    file.note_examples(names.utterance, "must be unique", _repeated(ids))
    unknown = [f"{name!r} {n} times" for name, n in Counter(splits).items() if split_named(name) is None]
    file.note_examples(names.split, "must be train, dev (or valid, validation, val) or test", unknown)
    pairs = {(d, split_named(split) or split) for d, split in zip(dialogues, splits, strict=False)}
    divided = [f"{d} in {n} splits" for d, n in Counter(d for d, _ in sorted(pairs)).items() if n > 1]
    file.note_examples(names.split, "must be the same in all of a dialogue", divided)
    named = set(zip(dialogues, columns.get("group", []), strict=False))
    several = [f"{d} in {n} groups" for d, n in Counter(d for d, _ in sorted(named)).items() if n > 1]
    file.note_examples(names.group, "must be the same in all of a dialogue", several)
    nowhere = sum(not np.isfinite(rank) for rank in order)
    file.note_examples(names.order, "must be finite", [f"{nowhere} that are not"] * bool(nowhere))
    file.note_examples(names.order, "must differ within a dialogue", _repeated(zip(dialogues, order, strict=False)))
    if labels:
        found = Counter(columns.get("label", []))
        wrong = [f"{label} {n} times" for label, n in sorted(found.items()) if not -1 <= label < len(labels)]
        rule = f"must be -1 to {len(labels) - 1}, as {names.label_names} has {len(labels)}"
        file.note_examples(names.label, rule, wrong)
    file.note_examples(names.label_names, "must differ", _repeated(labels))


def _repeated(values: Iterable[Any]) -> list[str]:
    """Every value that is there more than once, with how often."""
    return [
        f"{f'{value[1]:g} of {value[0]}' if isinstance(value, tuple) else value} {n} times"
        for value, n in Counter(values).items()
        if n > 1
    ]


def _arrange(
    columns: Mapping[str, list[Any]], targets: Mapping[str, NDArray[Any]], group_pattern: str
) -> tuple[tuple[DialogueRecord, ...], NDArray[np.intp]]:
    """Sort rows into dialogues; returns these and the row of each of their utterances, ``(N,)``."""
    rows_of: dict[str, list[int]] = {}
    for row, dialogue in enumerate(columns["dialogue"]):
        rows_of.setdefault(dialogue, []).append(row)
    dialogues = []
    for dialogue, rows in rows_of.items():
        rows.sort(key=columns["order"].__getitem__)
        utterances = tuple(_utterance(columns, targets, row) for row in rows)
        split = split_named(columns["split"][rows[0]])
        assert split is not None  # _check_columns noted all others
        if "group" in columns:
            group = columns["group"][rows[0]]
        else:
            found = re.match(group_pattern, dialogue)
            group = found[0] if found else ""
        dialogues.append(DialogueRecord(dialogue, split, utterances, group))
    return tuple(dialogues), np.array([row for rows in rows_of.values() for row in rows])


def _utterance(columns: Mapping[str, list[Any]], targets: Mapping[str, NDArray[Any]], row: int) -> UtteranceRecord:
    start, end = (columns[role][row] if role in columns else None for role in ("start", "end"))
    return UtteranceRecord(
        id=columns["utterance"][row],
        speaker=columns["speaker"][row],
        label=columns["label"][row],
        text=columns["text"][row] if "text" in columns else "",
        start=None if start is None or np.isnan(start) else start,
        end=None if end is None or np.isnan(end) else end,
        targets={name: tuple(values[row].tolist()) for name, values in targets.items()},
    )


@hookimpl
def ercframe_components() -> list[type[Importer]]:
    return [NpzImporter]
