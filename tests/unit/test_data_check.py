"""Checking a bundle: every fault is found, graded and placed; a sound bundle has no errors."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small_corpus import AUDIO, NAN, TEXT, bundle, dialogues, edited

from ercframe import FeatureArray, Finding, InputError
from ercframe.data import standardise
from ercframe.data.check import check_bundle
from ercframe.data.features import Features
from ercframe.data.records import sha256

INDEX, TEXT_FILE, AUDIO_FILE = "index.safetensors", "features/text.safetensors", "features/audio.safetensors"


def _found(folder: Path, topic: str) -> list[tuple[str, str, list[str]]]:
    """Findings of one topic: level, message, places."""
    return [(f.level, f.message, [str(p) for p in f.places]) for f in check_bundle(folder) if f.topic == topic]


def _errors(findings: list[Finding]) -> list[str]:
    return [finding.message for finding in findings if finding.level == "error"]


def _tamper(folder: Path, name: str, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Change the arrays of a file, and its digest with it, so that only the content is wrong."""
    tensors = load_file(folder / name)
    change(tensors)
    save_file(tensors, folder / name)
    _sign(folder, name)


def _retell(folder: Path, old: str, new: str) -> None:
    """Replace text of the same length in dialogues.jsonl."""
    assert len(old) == len(new)
    path = folder / "dialogues.jsonl"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    _sign(folder, path.name)


def _sign(folder: Path, name: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = sha256(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundle(tmp_path / "b")
    return tmp_path / "b"


def test_a_sound_bundle_has_no_errors(folder: Path) -> None:
    assert _errors(check_bundle(folder)) == []


def test_class_counts_of_every_split(folder: Path) -> None:
    assert _found(folder, "classes") == [
        ("note", "train: joy 2, anger 2", []),
        ("note", "dev: joy 1, anger 1", []),
        ("warning", "test has no joy, anger: joy 0, anger 0", []),
    ]


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    bundle(tmp_path / "b", dialogues=tuple(replace(d, split="test") for d in dialogues()))
    assert ("error", "train has no scored utterance: nothing can be learnt", []) in _found(tmp_path / "b", "classes")


def test_there_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^no bundle at {tmp_path}/none$"):
        check_bundle(tmp_path / "none")


# Files


@pytest.mark.parametrize("name", [INDEX, TEXT_FILE, "dialogues.jsonl"])
def test_a_flipped_bit_is_found(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-3] ^= 1
    (folder / name).write_bytes(content)
    assert f"{name} is not the file that was written: its SHA-256 differs; import it again" in _errors(
        check_bundle(folder)
    )


@pytest.mark.parametrize("name", [INDEX, TEXT_FILE, "dialogues.jsonl"])
def test_a_missing_or_short_file_is_found(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    assert any(f"{name}: " in message for message in _errors(check_bundle(folder)))
    (folder / name).unlink()
    assert f"{name} is missing" in _errors(check_bundle(folder))


def test_a_foreign_file_is_noted(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    assert _found(folder, "foreign file") == [("note", "1 file of no bundle: notes.txt", [])]


# Index and dialogues


def test_labels_out_of_range(folder: Path) -> None:
    _tamper(folder, INDEX, lambda index: index["label"].__setitem__(slice(3, 5), [7, -2]))
    assert _found(folder, "label") == [("error", "2 labels not in -1 to 1: -2, 7", ["d2_0", "d2_1"])]


def test_an_index_of_other_splits_than_the_manifest_says(folder: Path) -> None:
    _tamper(folder, INDEX, lambda index: index["split"].__setitem__(1, 1))
    assert _errors(check_bundle(folder)) == [
        "train must have 2 dialogues, 5 utterances, 4 scored (got 1 dialogue, 3 utterances, 2 scored)",
        "dev must have 1 dialogue, 2 utterances, 2 scored (got 2 dialogues, 4 utterances, 4 scored)",
    ]


def test_an_index_that_does_not_divide_the_utterances(folder: Path) -> None:
    _tamper(folder, INDEX, lambda index: index["offsets"].__setitem__(1, 5))
    assert "the index must divide the utterances into dialogues of at least one each" in _errors(check_bundle(folder))


def test_the_same_utterance_id_twice(folder: Path) -> None:
    _retell(folder, '"d3_1"', '"d2_0"')
    assert _found(folder, "duplicate id") == [("error", "2 utterances with the id of another", ["d2_0", "d3/d2_0"])]


def test_a_dialogue_in_two_splits(folder: Path) -> None:
    _retell(folder, '"id":"d3",', '"id":"d1",')
    assert ("error", "1 dialogue in more than one split", ["d1"]) in _found(folder, "in two splits")


def test_a_dialogue_twice_in_a_split(folder: Path) -> None:
    _retell(folder, '"id":"d2",', '"id":"d1",')
    assert ("error", "1 dialogue with the id of another", ["d1"]) in _found(folder, "duplicate id")


def test_lines_that_contradict_the_index(folder: Path) -> None:
    _retell(folder, '"id":"d1_2","speaker":"Eve","label":1', '"id":"d1_2","speaker":"Eve","label":0')
    message = "1 entry with an id, split or label that is not that of the index"
    assert _found(folder, "differs") == [("error", message, ["d1_2"])]


@pytest.mark.parametrize(("old", "new"), [('"split"', '"splat"'), ('"train"', '"trial"'), ('{"id":"d2"', '["id":"d2"')])
def test_lines_that_cannot_be_understood(folder: Path, old: str, new: str) -> None:
    _retell(folder, old, new)
    assert any("dialogues.jsonl: dialogue" in message for message in _errors(check_bundle(folder)))


def test_odd_times(tmp_path: Path) -> None:
    def change(utterance: Any) -> Any:
        start, end = {"d1_1": (5.0, 5.0), "d1_2": (2.0, 3.0)}.get(utterance.id, (utterance.start, utterance.end))
        return replace(utterance, start=start, end=end)

    bundle(tmp_path / "b", dialogues=edited(change))
    assert _found(tmp_path / "b", "time goes back") == [
        ("warning", "1 utterance starting before the one before", ["d1_2"])
    ]
    assert _found(tmp_path / "b", "no duration") == [("warning", "1 utterance without a duration", ["d1_1"])]


def test_a_dialogue_without_a_label(folder: Path) -> None:
    assert _found(folder, "nothing scored") == [("note", "1 dialogue without a scored utterance", ["d4"])]


def test_the_same_moment_in_two_splits(tmp_path: Path) -> None:
    bundle(
        tmp_path / "b",
        dialogues=edited(lambda u: replace(u, text="Hi." if u.id in ("d1_0", "d2_0", "d3_0") else u.text)),
    )
    message = "2 utterances with the same words at the same time as one of another split"
    assert _found(tmp_path / "b", "in two splits") == [("warning", message, ["d1_0", "d3_0"])]


def test_a_conversation_under_two_names_in_two_splits(tmp_path: Path) -> None:
    first, second, third, last = dialogues()
    again = [replace(u, id=f"d3_{i}", start=100.0 + i, end=None) for i, u in enumerate(first.utterances)]
    bundle(
        tmp_path / "b",
        dialogues=(first, second, replace(third, utterances=tuple(again)), last),
        features={},
    )
    text = "2 dialogues with the same words as one of another split"
    assert ("warning", text, ["d1", "d3"]) in _found(tmp_path / "b", "in two splits")


def test_speakers_in_two_splits_are_told_where_they_are_people(folder: Path) -> None:
    assert _found(folder, "speakers") == [
        ("warning", "2 of 4 speakers are in train and in another split: Eve, Ann", [])
    ]


def test_sides_of_a_conversation_are_no_leak(tmp_path: Path) -> None:
    bundle(tmp_path / "b", dialogues=edited(lambda u: replace(u, speaker="F")))
    assert _found(tmp_path / "b", "speakers") == []


# Features


def _with_text(tmp_path: Path, values: np.ndarray) -> Path:
    bundle(tmp_path / "b", features={"text": FeatureArray(values)})
    return tmp_path / "b"


def test_constant_columns_are_noted(folder: Path) -> None:
    assert _found(folder, "constant") == [("note", "text: 1 column constant in train: 1", [])]


def test_unknown_values_and_missing_rows_are_noted_with_their_place(folder: Path) -> None:
    assert _found(folder, "unknown value") == [
        ("note", "text: 1 row with 1 unknown value, which become the training mean", ["d2_1"]),
        ("note", "audio: 1 row with 1 unknown value, which become the training mean", ["d2_0"]),
    ]
    assert _found(folder, "not available") == [("note", "audio: 2 rows not available", ["d1_1", "d3_1"])]


def test_infinite_values_are_an_error(tmp_path: Path) -> None:
    values = TEXT.copy()
    values[6, 0] = -np.inf
    assert _found(_with_text(tmp_path, values), "infinite") == [
        ("error", "text: 1 row with an infinite value", ["d3_1"])
    ]


def test_availability_that_contradicts_the_values(folder: Path) -> None:
    _tamper(folder, AUDIO_FILE, lambda stored: stored["available"].__setitem__(slice(0, 2), [False, True]))
    message = "audio: 2 rows whose availability is not what the values say"
    assert _found(folder, "availability") == [("error", message, ["d1_0", "d1_1"])]


@pytest.mark.parametrize(
    ("name", "value"), [("mean", 99.0), ("mean", NAN), ("scale", 0.0), ("scale", -1.0), ("scale", np.inf)]
)
def test_statistics_that_are_not_those_of_train(folder: Path, name: str, value: float) -> None:
    _tamper(folder, TEXT_FILE, lambda stored: stored[name].__setitem__(2, value))
    message = "text: mean or scale of 1 column is not that of train: 2"
    assert _found(folder, "statistics") == [("error", message, [])]


def test_statistics_of_all_splits_are_a_leak(folder: Path) -> None:
    _tamper(folder, AUDIO_FILE, lambda stored: stored.update(mean=np.nanmean(AUDIO, axis=0)))
    assert _found(folder, "statistics") == [
        ("error", "audio: mean or scale of 2 columns is not that of train: 0, 1", [])
    ]


def test_a_modality_that_train_lacks(tmp_path: Path) -> None:
    values = TEXT.copy()
    values[:5] = NAN
    assert _found(_with_text(tmp_path, values), "statistics") == [("error", "text: no training row has it", [])]


def test_values_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, rows = list[tuple[int, int]](), Features.rows
    monkeypatch.setattr(Features, "rows", lambda self, *where: read.append(where) or rows(self, *where))
    monkeypatch.setattr(standardise, "PIECE", 6)
    check_bundle(folder)
    text = [(0, 2), (2, 4), (4, 6), (6, 8), (0, 1)]  # the last asks for the type
    audio = [(0, 3), (3, 6), (6, 8), (0, 1)]
    assert read == [*text, *audio]


def test_values_of_another_type(folder: Path) -> None:
    _tamper(folder, TEXT_FILE, lambda stored: stored.update(values=stored["values"].astype("float32")))
    assert _found(folder, "type") == [("error", "text: values must be float16 (got float32)", [])]


def test_a_bundle_without_features(tmp_path: Path) -> None:
    bundle(tmp_path / "b", features={})
    message = "the bundle has no features yet; `ercframe data extract` computes some"
    assert _found(tmp_path / "b", "no modality") == [("note", message, [])]
