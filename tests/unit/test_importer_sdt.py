"""The importers ``sdt_iemocap`` and ``sdt_meld``, on files made here: the released ones may not be passed on."""

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ercframe import Bundle, Corpus, InputError
from ercframe.cli.app import run_app
from ercframe_plugins.importers.sdt_iemocap import SdtIemocap
from ercframe_plugins.importers.sdt_items import ITEMS
from ercframe_plugins.importers.sdt_meld import SdtMeld

Edit = Callable[[list[Any]], Any]
LENGTHS = {"Ses01F_impro01": 2, "Ses02M_script01": 1, "Ses05F_impro01": 3}
IDS, SPEAKERS, LABELS, TEXT, AUDIO, VISUAL, SENTENCES, TRAIN, TEST = 0, 1, 2, 3, 7, 8, 9, 10, 11


def _features(lengths: dict[Any, int], width: int, seed: int) -> dict[Any, Any]:
    generator = np.random.default_rng(seed)
    return {d: list(generator.normal(size=(n, width)).astype("float32")) for d, n in lengths.items()}


def _iemocap() -> list[Any]:
    """The twelve items as the authors' file has them."""
    return [
        {d: [f"{d}_{'FM'[i % 2]}{i:03}" for i in range(n)] for d, n in LENGTHS.items()},
        {d: ["FM"[i % 2] for i in range(n)] for d, n in LENGTHS.items()},
        {d: [i % 6 for i in range(n)] for d, n in LENGTHS.items()},
        *(_features(LENGTHS, 1024, seed) for seed in range(4)),
        _features(LENGTHS, 1582, 4),
        _features(LENGTHS, 342, 5),
        {d: [f"Line {i}." for i in range(n)] for d, n in LENGTHS.items()},
        {"Ses01F_impro01", "Ses02M_script01"},
        {"Ses05F_impro01"},
    ]


def _meld() -> list[Any]:
    lengths = {0: 2, 1: 1, 2: 2}
    eye = np.eye(9, dtype=int)
    return [
        {d: list(range(n)) for d, n in lengths.items()},
        {d: [eye[i].tolist() for i in range(n)] for d, n in lengths.items()},
        {d: list(range(n)) for d, n in lengths.items()},
        *(_features(lengths, 1024, seed) for seed in range(4)),
        _features(lengths, 300, 4),
        _features(lengths, 342, 5),
        {d: [f"Line {i}." for i in range(n)] for d, n in lengths.items()},
        [0, 1],
        [2],
        {d: [0] * n for d, n in lengths.items()},
    ]


def _write(folder: Path, items: Any, protocol: int = 2) -> Path:
    path = folder / "features.pkl"
    path.write_bytes(pickle.dumps(tuple(items) if isinstance(items, list) else items, protocol))
    return path


def _read(folder: Path, items: Any, protocol: int = 2, **config: Any) -> Corpus:
    return SdtIemocap(SdtIemocap.Config(**config)).read(_write(folder, items, protocol))


def _problems(folder: Path, items: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        _read(folder, items)
    return [" ".join(filter(None, (p.where, p.what, p.message))) for p in caught.value.problems] or [caught.value.title]


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_iemocap(tmp_path: Path, protocol: int) -> None:
    items = _iemocap()
    corpus = _read(tmp_path, items, protocol)
    assert (corpus.name, corpus.labels) == ("IEMOCAP", ("hap", "sad", "neu", "ang", "exc", "fru"))
    assert [(d.id, d.split, d.group) for d in corpus.dialogues] == [
        ("Ses01F_impro01", "train", "Ses01"),
        ("Ses02M_script01", "train", "Ses02"),
        ("Ses05F_impro01", "test", "Ses05"),
    ]
    assert [(u.id, u.speaker, u.label, u.text) for u in corpus.dialogues[2].utterances][1:] == [
        ("Ses05F_impro01_M001", "M", 1, "Line 1."),
        ("Ses05F_impro01_F002", "F", 2, "Line 2."),
    ]
    for modality, item in (("text", TEXT), ("audio", AUDIO), ("visual", VISUAL)):
        expected = np.concatenate([items[item][d] for d in LENGTHS])
        np.testing.assert_array_equal(corpus.features[modality].values, expected)
    assert corpus.features["text"].parts == {"text_1": 1024}
    assert [f.message for f in corpus.findings] == ["the file has no dev split: protocol heldout carves one from train"]


def test_meld(tmp_path: Path) -> None:
    path = _write(tmp_path, _meld())
    corpus = SdtMeld(SdtMeld.Config()).read(path)
    assert [(d.id, d.split, d.group) for d in corpus.dialogues] == [
        ("0", "train", ""),
        ("1", "train", ""),
        ("2", "test", ""),
    ]
    assert [(u.id, u.speaker, u.label) for u in corpus.dialogues[0].utterances] == [
        ("0_0", "speaker 0", 0),
        ("0_1", "speaker 1", 1),
    ]
    assert {m: a.values.shape for m, a in corpus.features.items()} == {
        "text": (5, 1024),
        "audio": (5, 300),
        "visual": (5, 342),
    }


def test_another_of_the_four_text_vectors(tmp_path: Path) -> None:
    items = _iemocap()
    corpus = _read(tmp_path, items, text_vector=3)
    np.testing.assert_array_equal(corpus.features["text"].values[:2], items[5]["Ses01F_impro01"])
    assert corpus.features["text"].parts == {"text_3": 1024}


def _as_arrays(items: list[Any]) -> None:
    for item in (TEXT, AUDIO, VISUAL):
        items[item] = {d: np.array(rows, dtype="float64") for d, rows in items[item].items()}
    for item in (IDS, SPEAKERS, LABELS, SENTENCES):
        items[item] = {d: np.array(values) for d, values in items[item].items()}
    items[TRAIN], items[TEST] = np.array(sorted(items[TRAIN])), tuple(items[TEST])


def _as_lists(items: list[Any]) -> None:
    items[AUDIO] = {d: [row.tolist() for row in rows] for d, rows in items[AUDIO].items()}
    items[LABELS] = {d: [np.int64(v) for v in values] for d, values in items[LABELS].items()}


@pytest.mark.parametrize("change", [_as_arrays, _as_lists])
def test_other_containers_hold_the_same(tmp_path: Path, change: Edit) -> None:
    expected, items = _read(tmp_path, _iemocap()), _iemocap()
    change(items)
    found = _read(tmp_path, items)
    assert found.dialogues == expected.dialogues
    for modality, array in expected.features.items():
        np.testing.assert_allclose(found.features[modality].values, array.values, rtol=1e-6)


def test_a_dialogue_in_neither_list_is_left_out_and_told(tmp_path: Path) -> None:
    items = _iemocap()
    items[TRAIN] = ["Ses01F_impro01"]
    corpus = _read(tmp_path, items)
    assert [d.id for d in corpus.dialogues] == ["Ses01F_impro01", "Ses05F_impro01"]
    (finding,) = [f for f in corpus.findings if f.topic == "no split"]
    assert (finding.level, finding.message) == ("warning", "1 dialogue neither in train nor in test: left out")
    assert len(corpus.features["audio"].values) == 5


# What may be wrong

F1, F5 = "Ses01F_impro01", "Ses05F_impro01"


def _set(item: int, dialogue: str, value: Any) -> Edit:
    return lambda items: items[item].update({dialogue: value})


def _put(item: int, value: Any) -> Edit:
    return lambda items: items.__setitem__(item, value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_put(TEST, {F1, F5}), f"train, test must have no dialogue in common (got {F1})"),
        (_put(TRAIN, [F1, F1]), f"train must name a dialogue once (got {F1} 2 times)"),
        (_put(TEST, ["Ses09"]), "test must name dialogues of the file (got Ses09)"),
        (_put(TRAIN, []), "train must be a list of dialogues (got a list of 0)"),
        (_put(TRAIN, "all"), "train must be a list of dialogues (got 'all')"),
        (_put(LABELS, [1, 2]), "labels must be a dict by dialogue (got a list of 2)"),
        (lambda items: items[AUDIO].pop(F5), f"audio must have every dialogue (got none for {F5})"),
        (_set(LABELS, F1, [0, 6]), f"labels must be whole numbers, 0 to 5 (got 6 for {F1}[1])"),
        (_set(LABELS, F1, [0, -1]), f"labels must be whole numbers, 0 to 5 (got -1 for {F1}[1])"),
        (_set(LABELS, F1, [0]), f"labels must have a value for each utterance (got 1 for {F1}, which has 2)"),
        (_set(LABELS, F1, [0, "sad"]), f"labels must be whole numbers, 0 to 5 (got 'sad' for {F1}[1])"),
        (_set(SPEAKERS, F1, ["F", "X"]), f"speakers must be F or M (got 'X' for {F1}[1])"),
        (_set(SENTENCES, F1, ["Hi", 3]), f"sentences must be text (got 3 for {F1}[1])"),
        (_set(IDS, F1, []), f"ids must be a list of names or numbers (got a list of 0 for {F1})"),
        (
            _set(TEXT, F1, [np.zeros(1024), np.zeros(1023)]),
            f"text_1 must be 1024 numbers for each utterance (got an array of 1023 for {F1}[1])",
        ),
        (
            _set(VISUAL, F1, np.zeros((3, 342))),
            f"visual must have a row for each utterance (got 3 for {F1}, which has 2)",
        ),
        (
            _set(VISUAL, F1, np.full((2, 342), "x")),
            f"visual must be 342 numbers for each utterance (got an array of 342 for {F1}[0], "
            f"an array of 342 for {F1}[1])",
        ),
        (
            _set(VISUAL, F1, np.array(3.0)),
            f"visual must have a row for each utterance (got an array of one value for {F1}, which has 2)",
        ),
        (_set(SPEAKERS, F1, ["F", np.zeros(2)]), f"speakers must be F or M (got an array of 2 for {F1}[1])"),
        (_set(VISUAL, F1, 3), f"visual must have a row for each utterance (got 3 for {F1}, which has 2)"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Edit, problem: str) -> None:
    items = _iemocap()
    change(items)
    assert problem in _problems(tmp_path, items)


def test_all_problems_at_once(tmp_path: Path) -> None:
    items = _iemocap()
    items[LABELS][F1], items[SPEAKERS][F5][0], items[TEST] = [9, 9], "?", {F1, F5}
    assert _problems(tmp_path, items) == [
        f"train, test must have no dialogue in common (got {F1})",
        f"speakers must be F or M (got '?' for {F5}[0])",
        f"labels must be whole numbers, 0 to 5 (got 9 for {F1}[0], 9 for {F1}[1])",
    ]


@pytest.mark.parametrize("row", [[0] * 9, [1, 1] + [0] * 7, [0.5] * 9, [1] + [0] * 7, "speaker", [None] * 9])
def test_rows_that_are_not_one_hot(tmp_path: Path, row: Any) -> None:
    items = _meld()
    items[SPEAKERS][0][1] = row
    with pytest.raises(InputError) as caught:
        SdtMeld(SdtMeld.Config()).read(_write(tmp_path, items))
    (problem,) = caught.value.problems
    assert problem.message.startswith("must be rows of 9 with a single 1 (got ")


@pytest.mark.parametrize(
    ("items", "got"),
    [
        (_meld(), "one of 13"),
        ([], "one of 0"),
        ({"a": 1}, "a dict"),
        (None, "a NoneType"),
        ("text", "a str"),
    ],
)
def test_not_a_tuple_of_twelve(tmp_path: Path, items: Any, got: str) -> None:
    (title,) = _problems(tmp_path, items)
    assert title.endswith(f"must hold a tuple of 12 items: {', '.join(ITEMS)} (got {got})")


def test_a_list_that_contains_itself_is_no_row(tmp_path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    items = _iemocap()
    items[AUDIO][F1] = loop
    assert f"audio must have a row for each utterance (got 1 for {F1}, which has 2)" in _problems(tmp_path, items)


def test_rows_that_are_shared_are_no_data(tmp_path: Path) -> None:
    """A few kilobytes that would become gigabytes."""
    many = [1] * 100_000
    items = [
        *({F1: values, F5: values} for values in (["a"] * 100_000, ["F"] * 100_000, many)),
        *({F1: [[0.0] * 1024] * 100_000, F5: [[0.0] * 1024] * 100_000} for _ in range(4)),
        {F1: many, F5: many},
        {F1: many, F5: many},
        {F1: ["x"] * 100_000, F5: ["x"] * 100_000},
        [F1],
        [F5],
    ]
    assert "text_1 must hold its own numbers (got more rows than the file has bytes for)" in _problems(tmp_path, items)


# The command


class _Calls:
    def __reduce__(self) -> Any:
        return os.system, ("touch canary",)


def test_the_command_makes_a_bundle_without_a_dev_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path, _iemocap())
    assert run_app(["data", "import", "sdt_iemocap", "features.pkl", "b"]) == 0
    manifest = Bundle(Path("b")).manifest
    assert list(manifest.splits) == ["train", "test"]
    assert manifest.groups == ("Ses01", "Ses02", "Ses05")
    assert manifest.speakers.names == ("F", "M")


def test_a_malicious_file_is_told_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path, [*_iemocap()[:-1], _Calls()])
    assert run_app(["data", "import", "sdt_iemocap", "features.pkl", "b"]) == 2
    err = capsys.readouterr().err
    rule, asked = r"features\.pkl must be a pickle of plain data", "it asks for 'posix.system', which is no plain data"
    assert re.fullmatch(rf"{rule}: at byte [\d,]+ {asked}; nothing was run\n", err)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["features.pkl"]
