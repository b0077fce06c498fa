"""Importer ``npz``: rows in any order become dialogues; everything wrong with a file is told at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_corpus import AUDIO, NAN, TEXT, arrays

from ercframe import Corpus, InputError
from ercframe_plugins.importers.npz import NpzImporter

CHOICE = {"text": ("words",), "audio": ("pitch", "energy")}


def _read(tmp_path: Path, config: dict[str, Any] | None = None, **changes: Any) -> Corpus:
    """Save the small corpus with some arrays changed and read it."""
    path = tmp_path / "small.npz"
    np.savez(path, **arrays(**changes))
    return NpzImporter(NpzImporter.Config(**({"modalities": CHOICE} | (config or {})))).read(path)


def _problems(tmp_path: Path, config: dict[str, Any] | None = None, **changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        _read(tmp_path, config, **changes)
    assert caught.value.title.endswith(f" in {tmp_path}/small.npz")
    return [(problem.what, problem.message) for problem in caught.value.problems]


def test_rows_are_sorted_into_dialogues(tmp_path: Path) -> None:
    corpus = _read(tmp_path)
    assert {d.id: [u.id for u in d.utterances] for d in corpus.dialogues} == {
        "d1": ["d1_0", "d1_1", "d1_2"],
        "d2": ["d2_0", "d2_1"],
        "d3": ["d3_0", "d3_1"],
        "d4": ["d4_0"],
    }
    assert corpus.name == "small"
    assert corpus.labels == ("joy", "anger")


def test_features_and_labels_stay_with_their_utterance(tmp_path: Path) -> None:
    corpus = _read(tmp_path)
    rows = {u.id: row for row, u in enumerate(u for d in corpus.dialogues for u in d.utterances)}
    original = ["d1_0", "d1_1", "d1_2", "d2_0", "d2_1", "d3_0", "d3_1", "d4_0"]
    order = [rows[name] for name in original]
    np.testing.assert_array_equal(corpus.features["text"].values[order], TEXT)
    np.testing.assert_array_equal(corpus.features["audio"].values[order], AUDIO)
    labels = {u.id: u.label for d in corpus.dialogues for u in d.utterances}
    assert [labels[name] for name in original] == [0, -1, 1, 1, 0, 0, 1, -1]


@pytest.mark.parametrize(("label_names", "labels"), [(["joy", "anger"], ("joy", "anger")), (None, ("anger", "joy"))])
def test_labels_may_be_names(tmp_path: Path, label_names: list[str] | None, labels: tuple[str, ...]) -> None:
    by_index = _read(tmp_path)
    names = np.array(["joy", "anger", ""])[arrays()["label"]]
    corpus = _read(tmp_path, label=names, label_names=label_names and np.array(label_names))
    assert corpus.labels == labels

    def named(corpus: Corpus) -> dict[str, str]:
        return {u.id: (*corpus.labels, "")[u.label] for d in corpus.dialogues for u in d.utterances}

    assert named(corpus) == named(by_index)


def test_joined_arrays_are_recorded_with_their_widths(tmp_path: Path) -> None:
    audio = _read(tmp_path).features["audio"]
    assert audio.parts == {"pitch": 1, "energy": 1}
    assert audio.source is not None
    assert audio.source.name == "small.npz"


def test_valid_is_dev(tmp_path: Path) -> None:
    assert {d.id: d.split for d in _read(tmp_path).dialogues} == {
        "d1": "train",
        "d2": "train",
        "d3": "dev",
        "d4": "test",
    }


def test_types_are_kept_and_whole_numbers_become_floats(tmp_path: Path) -> None:
    mixed = _read(
        tmp_path,
        {"modalities": {"a": ("words",), "b": ("words", "pitch"), "c": ("count",)}},
        count=np.ones((8, 1), int),
    )
    assert [mixed.features[m].values.dtype.name for m in "abc"] == ["float16", "float32", "float32"]


def test_times_read_as_written(tmp_path: Path) -> None:
    corpus = _read(tmp_path, start=np.full(8, 6.2901, "float32"), end=np.full(8, NAN))
    utterance = corpus.dialogues[0].utterances[0]
    assert (utterance.start, utterance.end) == (6.2901, None)


def test_targets_are_kept_and_are_no_input(tmp_path: Path) -> None:
    corpus = _read(tmp_path, {"targets": ("vad",), "modalities": {"text": ("words",), "mood": ("vad",)}})
    assert corpus.dialogues[0].utterances[0].targets == {"vad": (2.5, 2.5)}
    (warning,) = [f for f in corpus.findings if f.level == "warning"]
    assert warning.message == "mood: 'vad' looks like an annotation; a label must not be an input"


def test_gaps_are_counted_and_placed(tmp_path: Path) -> None:
    infinite = TEXT.copy()
    infinite[0] = [np.inf, 1, 1]
    findings = {f.message: f.places for f in _read(tmp_path, words=infinite).findings}
    assert list(findings) == [
        "text: 1 row with an infinite value, taken as unknown",
        "text: 2 rows with 2 unknown values, which become the training mean",
        "audio: 2 rows without any value: not available",
        "audio: 1 row with 1 unknown value, which become the training mean",
    ]
    assert [str(place) for place in findings["audio: 2 rows without any value: not available"]] == ["d1_1", "d3_1"]


@pytest.mark.parametrize("asked", [None, "corpus", "order"])
def test_the_meaning_of_speaker_ids_can_be_asked_for(tmp_path: Path, asked: str | None) -> None:
    assert _read(tmp_path, {"speaker_ids": asked}).speaker_ids == asked


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    columns = {"utterance": "id", "label": "emotion", "text": "words_said"}
    given = arrays()
    renamed = {"id": given["utterance_id"], "emotion": given["label"], "words_said": given["text"]}
    corpus = _read(tmp_path, {"columns": columns}, utterance_id=None, label=None, text=None, **renamed)
    first = corpus.dialogues[0].utterances[0]
    assert (first.id, first.label, first.text) == ("d2_0", 1, "d2 line 0")


def test_numbers_may_be_ids_and_bytes_text(tmp_path: Path) -> None:
    names = np.char.encode(arrays()["speaker"], "utf-8")
    corpus = _read(tmp_path, utterance_id=np.arange(8), speaker=names)
    assert corpus.dialogues[0].utterances[0].id == "0"
    assert corpus.dialogues[0].utterances[0].speaker == "Bob"


# What may be wrong with a file


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^no such file: {tmp_path}/none.npz$"):
        NpzImporter(NpzImporter.Config()).read(tmp_path / "none.npz")


@pytest.mark.parametrize("content", [b"", b"utterance,label\n", b"PK\x03\x04 and then nothing", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "small.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path} must be an .npz file, as numpy.savez writes it, and complete$"):
        NpzImporter(NpzImporter.Config()).read(path)


def test_a_single_array_is_no_npz(tmp_path: Path) -> None:
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(InputError, match=r"must be an \.npz file"):
        NpzImporter(NpzImporter.Config()).read(tmp_path / "x.npz")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    problems = _problems(tmp_path, speaker=np.array([Bomb()] * 8, dtype=object))
    message = (
        "'speaker' must hold numbers or strings (got pickled Python objects, which are never loaded; "
        ".astype(str) makes text of them before saving)"
    )
    assert problems == [("speaker", message)]
    assert not (tmp_path / "exploded").exists()


A, B = "d1_0 3 times", "d2_0 2 times"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"label": None}, ("label", "no array 'label'; did you mean 'label_names'?")),
        ({"split": None}, ("split", "no array 'split'; did you mean 'pitch'?")),
        ({"label": np.zeros(8)}, ("label", "'label' must hold whole numbers (got float64)")),
        ({"label": np.full(8, "jjoy")}, ("label", "must be among label_names (got 'jjoy' 8 times)")),
        ({"label": np.zeros((8, 1), int)}, ("label", "'label' must have one value for each utterance (got shape 8×1)")),
        ({"order": np.full(8, "x")}, ("order", "'order' must hold numbers (got <U1)")),
        ({"order": np.zeros(7)}, ("order", "must have 8 values, as the other columns (got 7)")),
        ({"order": np.array([NAN, *range(7)])}, ("order", "must be finite (got 1 that are not)")),
        (
            {"order": np.zeros(8)},
            ("order", "must differ within a dialogue (got 0 of d2 2 times, 0 of d1 3 times, 0 of d3 2 times)"),
        ),
        (
            {"label": np.array([0, 1, 7, 7, -2, 0, 0, 0])},
            ("label", "must be -1 to 1, as label_names has 2 (got -2 1 times, 7 2 times)"),
        ),
        ({"label_names": np.array(["joy", "joy"])}, ("label_names", "must differ (got joy 2 times)")),
        (
            {"utterance_id": np.array([*"aaabbccd"])},
            ("utterance_id", "must be unique (got a 3 times, b 2 times, c 2 times)"),
        ),
        (
            {"utterance_id": np.array([*"aabbccdd"])},
            ("utterance_id", "must be unique (got a 2 times, b 2 times, c 2 times and 1 more)"),
        ),
        (
            {"split": np.array(["train", "test", "test", *["train"] * 5])},
            ("split", "must be the same in all of a dialogue (got d1 in 2 splits)"),
        ),
        (
            {"split": np.array(["trian", *["train"] * 7])},
            ("split", "must be train, dev (or valid, validation, val) or test (got 'trian' 1 times)"),
        ),
        ({"words": np.ones(8)}, ("modality text", "'words' must be 2-D, a row for each utterance (got shape 8)")),
        (
            {"words": np.ones((8, 2, 2))},
            ("modality text", "'words' must be 2-D, a row for each utterance (got shape 8×2×2)"),
        ),
        (
            {"words": np.ones((8, 0))},
            ("modality text", "'words' must be 2-D, a row for each utterance (got shape 8×0)"),
        ),
        ({"words": np.ones((7, 2))}, ("modality text", "'words' must have 8 rows, one for each utterance (got 7)")),
        ({"words": np.full((8, 2), "a")}, ("modality text", "'words' must hold numbers (got <U1)")),
        ({"words": np.full((8, 2), NAN)}, ("modality text", "must have a finite value in at least one row (got none)")),
        ({"words": None, "word": TEXT}, ("modality text", "no array 'words'; did you mean 'word'?")),
        ({"words": None}, ("modality text", "no array 'words'; 2-D arrays: pitch, energy")),
    ],
)
def test_one_thing_wrong(tmp_path: Path, changes: dict[str, Any], problem: tuple[str, str]) -> None:
    assert problem in _problems(tmp_path, **changes)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (
            {"modalities": {}},
            ("", "must have a modality: --modality NAME=ARRAY,… (arrays that can be one: words, pitch, energy)"),
        ),
        ({"modalities": {"text": ()}}, ("modality text", "must name one array or several different ones (got none)")),
        (
            {"modalities": {"text": ("words", "words")}},
            ("modality text", "must name one array or several different ones (got words, words)"),
        ),
        (
            {"modalities": {"Text!": ("words",)}},
            ("modality Text!", "a modality's name must be lower case letters, digits and underscores, a letter first"),
        ),
        ({"targets": ("mood",)}, ("target mood", "no array 'mood'; 2-D arrays: words, pitch, energy")),
        ({"columns": {"start": "begins"}}, ("begins", "no array 'begins'")),
    ],
)
def test_a_wrong_choice(tmp_path: Path, config: dict[str, Any], problem: tuple[str, str]) -> None:
    assert _problems(tmp_path, config) == [problem]


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    problems = _problems(
        tmp_path,
        {"modalities": {"text": ("word",), "audio": ("label",), "video": ("frames",)}},
        speaker=None,
        label=np.full(8, 9),
        split=np.full(8, "trian"),
        frames=np.ones((8, 2, 2)),
    )
    assert [what for what, _ in problems] == [
        "speaker",
        "split",
        "label",
        "modality text",
        "modality audio",
        "modality video",
    ]


def test_an_array_that_is_not_there_can_have_another_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "small.npz", **{"turn" if k == "order" else k: v for k, v in arrays().items()})
    config = NpzImporter.Config(modalities={"text": ("words",)})
    with pytest.raises(InputError) as caught:
        NpzImporter(config).read(tmp_path / "small.npz")
    assert caught.value.help.startswith("columns.order=NAME says which array it is; arrays in the file: ")
    assert "turn" in caught.value.help


def test_an_empty_file(tmp_path: Path) -> None:
    empty = {name: values[:0] for name, values in arrays().items() if name != "label_names"}
    assert ("", "must have at least one utterance (got none)") in _problems(tmp_path, **empty)


def test_groups_are_taken_where_the_file_has_them(tmp_path: Path) -> None:
    dialogue = arrays()["dialogue"]
    corpus = _read(tmp_path, group=np.where(np.isin(dialogue, ["d1", "d2"]), "monday", "tuesday"))
    assert {d.id: d.group for d in corpus.dialogues} == {
        "d1": "monday",
        "d2": "monday",
        "d3": "tuesday",
        "d4": "tuesday",
    }
    split = _problems(tmp_path, group=[f"g{i}" for i in range(8)])
    assert split == [
        ("group", "must be the same in all of a dialogue (got d1 in 3 groups, d2 in 2 groups, d3 in 2 groups)")
    ]


def test_groups_can_be_what_ids_of_dialogues_begin_with(tmp_path: Path) -> None:
    def groups(pattern: str, **changes: Any) -> list[str]:
        return [d.group for d in _read(tmp_path, {"group_pattern": pattern}, **changes).dialogues]

    assert sorted(groups("d[12]")) == ["", "", "d1", "d2"]
    assert groups("") == [""] * 4
    assert set(groups("d", group=np.full(8, "its own"))) == {"its own"}
    with pytest.raises(ValueError, match=r"must be a regular expression \(got '\('"):
        NpzImporter.Config(modalities=CHOICE, group_pattern="(")
