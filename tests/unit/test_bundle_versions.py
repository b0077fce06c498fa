"""Bundles of older ercframes: what version 1 wrote is read today. And what version 2 adds: groups."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_corpus import AUDIO, NAN, TEXT, bundle, dialogues

from ercframe import Bundle, Corpus, InputError
from ercframe.data.check import check_bundle
from ercframe.data.conversations import dialogue_records, read_conversations
from ercframe_plugins.datasets.bundle import BundleDataset

# Written by the last ercframe that knew version 1 only, from tests/small_corpus.py; never to be written again.
VERSION_1 = Path(__file__).parents[1] / "data/bundle_v1"


def test_a_bundle_of_version_1_is_read() -> None:
    assert json.loads((VERSION_1 / "manifest.json").read_text())["schema_version"] == 1
    old = Bundle(VERSION_1)
    assert (old.manifest.schema_version, old.manifest.groups, old.manifest.label_map) == (2, (), None)
    assert old.label.tolist() == [0, -1, 1, 1, 0, 0, 1, -1]
    assert [old.group_name(i) for i in range(len(old))] == [""] * 4
    np.testing.assert_array_equal(old.features("text").rows(0, 8), TEXT)
    np.testing.assert_array_equal(old.features("audio").rows(0, 8), AUDIO)
    np.testing.assert_array_equal(old.targets["vad"][0], np.array([1, NAN], "float32"))
    assert old.record(1)["utterances"][0]["text"] == "d2 line 0"


def test_it_is_as_sound_as_one_of_today(tmp_path: Path) -> None:
    bundle(tmp_path / "b", speaker_ids="corpus")
    assert check_bundle(VERSION_1) == check_bundle(tmp_path / "b")


def test_it_can_be_trained_on() -> None:
    dataset = BundleDataset(BundleDataset.Config(path=VERSION_1), ("text", "audio"))
    assert dataset.info.splits == {"train": 2, "dev": 1, "test": 0}
    assert [d.group for d in dataset.split("train")] == ["", ""]


@pytest.mark.parametrize("version", [0, 3, "1", True, None, 1.5])
def test_a_version_that_nobody_knows(tmp_path: Path, version: object) -> None:
    shutil.copytree(VERSION_1, tmp_path / "b")
    manifest = tmp_path / "b/manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema_version": version}))
    with pytest.raises(InputError) as caught:
        Bundle(tmp_path / "b")
    assert f"schema_version must be 1 to 2 (got {version!r})" in str(caught.value)


# Groups


def _grouped(**groups: str) -> tuple[object, ...]:
    return tuple(replace(d, group=groups.get(d.id, "")) for d in dialogues())


def test_groups_go_from_the_corpus_to_the_dialogues(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", dialogues=_grouped(d1="monday", d2="tuesday", d4="monday"))
    assert made.manifest.groups == ("monday", "tuesday")
    assert made.group.tolist() == [0, 1, -1, 0]
    assert made.record(1)["group"] == "tuesday"
    assert "group" not in made.record(2)
    dataset = BundleDataset(BundleDataset.Config(path=tmp_path / "b", unscored="context"), ("text",))
    assert [d.group for split in ("train", "dev", "test") for d in dataset.split(split)] == [
        "monday",
        "tuesday",
        "",
        "monday",
    ]


@pytest.mark.parametrize(("test_group", "warned"), [("monday", True), ("tuesday", False)])
def test_a_group_in_train_and_in_test_is_a_leak(tmp_path: Path, test_group: str, warned: bool) -> None:
    bundle(tmp_path / "b", dialogues=_grouped(d1="monday", d4=test_group))
    found = [f.message for f in check_bundle(tmp_path / "b") if f.level == "warning" and f.topic == "in two splits"]
    assert found == ["1 group in train and in test: monday"] * warned


def test_a_group_out_of_range_is_damage(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", dialogues=_grouped(d1="monday"))
    made.group[0] = 7
    with pytest.raises(InputError, match="groups must be -1 to 0"):
        made.require_sound_index()


def test_groups_of_conversations(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"speaker": "Ann", "group": "monday"}')
    (dialogue,) = dialogue_records(read_conversations(tmp_path / "t.jsonl"), ())
    assert Corpus("t", ("joy",), (dialogue,)).dialogues[0].group == "monday"
