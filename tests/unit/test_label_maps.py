"""Label maps: at import and in a recipe, from a file or written out, and what is said of one that does not fit."""

from pathlib import Path

import numpy as np
import pytest
from small_corpus import bundle, corpus

from ercframe import InputError, read_label_map
from ercframe.data.label_map import relabelled, relabelling
from ercframe.data.records import Corpus
from ercframe.recipes.label_maps import installed_label_maps
from ercframe.recipes.settings_check import check_settings
from ercframe.recipes.yaml_tree import Node
from ercframe_plugins.datasets.bundle import BundleDataset

ONE = {"joy": "aroused", "anger": "aroused"}
SWAPPED = {"anger": "bad", "joy": "good"}


def _labels(of: Corpus) -> list[int]:
    return [u.label for d in of.dialogues for u in d.utterances]


def _problems(
    mapping: dict[str, str | None], labels: tuple[str, ...], counts: tuple[int, ...]
) -> list[tuple[str, str]]:
    with pytest.raises(InputError, match=r"^label map m\.yaml does not fit the corpus, whose labels are ") as caught:
        relabelling(mapping, labels, counts, "m.yaml")
    return [(p.what, p.message) for p in caught.value.problems]


def test_labels_are_merged_renamed_and_put_in_the_order_of_the_map() -> None:
    assert _labels(corpus()) == [0, -1, 1, 1, 0, 0, 1, -1]
    merged = relabelled(corpus(), ONE, "m")
    assert (merged.labels, _labels(merged)) == (("aroused",), [0, -1, 0, 0, 0, 0, 0, -1])
    swapped = relabelled(corpus(), SWAPPED, "m")
    assert (swapped.labels, _labels(swapped)) == (("bad", "good"), [1, -1, 0, 0, 1, 1, 0, -1])
    assert swapped.label_map == SWAPPED


def test_null_makes_context_of_an_emotion() -> None:
    calm = relabelled(corpus(), {"joy": None, "anger": "anger"}, "m")
    assert (calm.labels, _labels(calm)) == (("anger",), [-1, -1, 0, 0, -1, -1, 0, -1])


def test_everything_that_does_not_fit_at_once() -> None:
    assert _problems({"joyy": "x", "anger": "y", "fear": "z"}, ("joy", "anger", "fear"), (3, 2, 0)) == [
        ("joyy", "must be a label of the corpus; did you mean 'joy'?"),
        ("joy", "must be mapped to a label, or to null; did you mean 'joyy'?"),
        ("z", "must have a scored utterance (got none for fear)"),
    ]
    assert _problems({"joy": None}, ("joy",), (3,)) == [("", "must keep at least one label (got null for all)")]


def test_a_class_is_empty_only_if_all_it_is_made_of_is() -> None:
    made = relabelling({"joy": "x", "fear": "x"}, ("joy", "fear"), (3, 0), "m")
    assert made.labels == ("x",)


def test_the_map_is_in_the_manifest(tmp_path: Path) -> None:
    of = relabelled(corpus(), ONE, "m")
    made = bundle(tmp_path / "b", labels=of.labels, dialogues=of.dialogues, label_map=of.label_map)
    assert made.manifest.label_map == ONE
    assert made.class_counts("train").tolist() == [4]


# Files


def _write(folder: Path, text: str) -> Path:
    (folder / "map.yaml").write_text(text)
    return folder / "map.yaml"


def test_a_file(tmp_path: Path) -> None:
    found = read_label_map(_write(tmp_path, "# ours\njoy: good\nno: bad\nanger: null\nfear:\n"))
    assert found == {"joy": "good", "no": "bad", "anger": None, "fear": None}


def test_everything_wrong_with_a_file_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path, "joy: 3\nanger: [a]\njoy: good\nfear: ''\n")
    with pytest.raises(InputError) as caught:
        read_label_map("map.yaml")
    assert caught.value.title == "4 problems in map.yaml"
    assert [(p.where, p.what, p.message) for p in caught.value.problems] == [
        ("1:6", "joy", "must be the new name, or null for context only (got 3)"),
        ("2:8", "anger", "must be the new name, or null for context only (got a list)"),
        ("3:1", "joy", "duplicate key; first at 1:1"),
        ("4:7", "fear", "must be the new name, or null for context only (got '')"),
    ]


@pytest.mark.parametrize(
    ("text", "got"), [("", "an empty file"), ("- a", "a list"), ("joy", "'joy'"), ("{}", "a mapping")]
)
def test_a_file_that_is_no_map(tmp_path: Path, text: str, got: str) -> None:
    with pytest.raises(InputError) as caught:
        read_label_map(_write(tmp_path, text))
    assert caught.value.problems[0].message == f"must be a mapping of old names to new ones (got {got})"


def test_a_map_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        read_label_map("iemocap_for")
    assert str(caught.value) == (
        "there is no label map 'iemocap_for'; did you mean 'iemocap_four'?\n\n"
        "Give a file, or the name of an installed label map: iemocap_four, meld_sentiment"
    )


@pytest.mark.parametrize("name", installed_label_maps())
def test_installed_maps_are_maps(name: str) -> None:
    assert len(read_label_map(name)) in (6, 7)


# In a recipe


def _dataset(path: Path, **config: object) -> BundleDataset:
    return BundleDataset(BundleDataset.Config(path=path, **config), ("text",))


def test_a_dataset_hands_out_the_new_labels(tmp_path: Path) -> None:
    bundle(tmp_path / "b")
    dataset = _dataset(tmp_path / "b", labels=SWAPPED, unscored="context")
    assert dataset.info.labels == ("bad", "good")
    found = [label for split in ("train", "dev", "test") for d in dataset.split(split) for label in d.labels.tolist()]
    assert found == [1, -1, 0, 0, 1, 1, 0, -1]
    assert dataset.bundle.label.dtype == np.int16, "the bundle itself stays as it is"
    assert dataset.bundle.label.tolist() == [0, -1, 1, 1, 0, 0, 1, -1]


def test_what_becomes_context_is_dropped_like_what_always_was(tmp_path: Path) -> None:
    bundle(tmp_path / "b")
    dataset = _dataset(tmp_path / "b", labels={"joy": None, "anger": "anger"})
    assert [d.labels.tolist() for d in dataset.split("train")] == [[0], [0]]
    assert dataset.info.splits == {"train": 2, "dev": 1, "test": 0}


def test_a_file_is_read_with_the_recipe_so_that_a_run_can_be_repeated_without_it(tmp_path: Path) -> None:
    path = _write(tmp_path, "joy: good\nanger: bad")
    tree = Node({"path": Node("b"), "labels": Node(str(path))})
    config, findings = check_settings(BundleDataset.Config, "dataset", tree)
    assert findings == []
    assert config is not None
    assert config.model_dump(mode="json")["labels"] == {"joy": "good", "anger": "bad"}


def test_what_is_wrong_with_the_file_is_told_with_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path, "joy: 3")
    _, (finding,) = check_settings(
        BundleDataset.Config, "dataset", Node({"path": Node("b"), "labels": Node("map.yaml")})
    )
    assert finding.key == "dataset.labels"
    assert finding.message == ("1 problem in map.yaml: 1:6 joy must be the new name, or null for context only (got 3)")


def test_a_map_that_does_not_fit_the_bundle(tmp_path: Path) -> None:
    bundle(tmp_path / "b")
    with pytest.raises(InputError) as caught:
        _dataset(tmp_path / "b", labels={"joy": "good", "angr": "bad"})
    assert str(caught.value) == (
        "label map in dataset.labels does not fit the corpus, whose labels are joy, anger\n"
        "  angr   must be a label of the corpus; did you mean 'anger'?\n"
        "  anger  must be mapped to a label, or to null; did you mean 'angr'?\n\n"
        "A label map has a line OLD: NEW for every label, OLD: null for context only."
    )
