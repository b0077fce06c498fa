"""Dataset ``bundle``: what a model gets from a bundle."""

import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from small_corpus import AUDIO, TEXT, bundle, edited
from torch import Tensor

from ercframe import InputError, collate
from ercframe.data.intake import Inputs, read_inputs, write_inputs
from ercframe_plugins.datasets.bundle import BundleDataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundle(tmp_path / "b")
    return tmp_path / "b"


def _open(path: Path, modalities: tuple[str, ...] = ("audio", "text"), **config: Any) -> BundleDataset:
    return BundleDataset(BundleDataset.Config(path=path, **config), modalities)


def _joined(dataset: BundleDataset, split: str, what: str) -> Tensor:
    return torch.cat([getattr(dialogue, what) for dialogue in dataset.split(split)])


def test_info_follows_the_recipe(folder: Path) -> None:
    info = _open(folder).info
    assert info.name == "small"
    assert info.labels == ("joy", "anger")
    assert list(info.modalities.items()) == [("audio", 2), ("text", 3)]
    assert info.speakers == 2
    assert info.class_counts == ()
    assert not info.generated


def test_unscored_utterances_are_dropped_with_dialogues_that_have_no_other(folder: Path) -> None:
    dataset = _open(folder)
    assert dataset.info.splits == {"train": 2, "dev": 1, "test": 0}
    assert _joined(dataset, "train", "labels").tolist() == [0, 1, 1, 0]
    assert [u.id for u in dataset.split("train")[0].utterances] == ["d1_0", "d1_2"]


def test_unscored_utterances_as_context(folder: Path) -> None:
    dataset = _open(folder, unscored="context")
    assert dataset.info.splits == {"train": 2, "dev": 1, "test": 1}
    assert _joined(dataset, "train", "labels").tolist() == [0, -1, 1, 1, 0]
    batch = collate(dataset.split("train"))
    assert batch.scored.tolist() == [0, 2, 3, 4]


def test_standardised_with_training_statistics_and_zeros_where_missing(folder: Path) -> None:
    dataset = _open(folder, unscored="context")
    train = torch.cat([d.features["text"] for d in dataset.split("train")])
    assert train.dtype == torch.float32
    np.testing.assert_allclose(train[:, 0], [-(2**0.5), -(0.5**0.5), 0, 0.5**0.5, 2**0.5], rtol=1e-6)
    assert not train[:, 1].any(), "constant in train"
    assert train[4, 2] == 0, "unknown"
    (first, *_), (dev,) = dataset.split("train"), dataset.split("dev")
    assert first.available["audio"].tolist() == [True, False, True]
    assert not first.features["audio"][1].any()
    assert dev.features["text"][0, 1] == 1, "a column that is constant in train is not blown up in dev"
    assert dev.available["text"].all()


@pytest.mark.parametrize(("clip", "largest"), [("manifest", 8.0), (1.0, 1.0), (None, pytest.approx(11.3, abs=0.1))])
def test_clipping(folder: Path, clip: object, largest: float) -> None:
    (dialogue,) = _open(folder, unscored="context", clip=clip).split("test")
    assert dialogue.features["text"][0, 2].item() == largest


def test_raw_values_have_no_nan_either(folder: Path) -> None:
    dataset = _open(folder, unscored="context", standardise=False)
    text = torch.cat([d.features["text"] for split in ("train", "dev", "test") for d in dataset.split(split)])
    expected = TEXT.astype("float32")
    expected[4, 2] = 1.0  # mean of 0, 2, 1, 1
    np.testing.assert_array_equal(text, expected)
    audio = torch.cat([d.features["audio"] for d in dataset.split("train")])
    assert audio[1].tolist() == [0, 0]
    np.testing.assert_array_equal(audio[[0, 2, 4]], AUDIO[[0, 2, 4]])
    assert audio[3].tolist() == [30, 4]


@pytest.mark.parametrize("unscored", ["drop", "context"])
def test_speakers_are_counted_before_anything_is_dropped(folder: Path, unscored: str) -> None:
    dataset = _open(folder, unscored=unscored)
    ids = {u.id: i for d in dataset.split("train") for u, i in zip(d.utterances, d.speaker.tolist(), strict=True)}
    assert ids.items() >= {"d1_0": 0, "d1_2": 0, "d2_0": 0, "d2_1": 1}.items()
    assert ids.get("d1_1", 1) == 1


def test_speakers_of_the_corpus_keep_their_id(tmp_path: Path) -> None:
    bundle(tmp_path / "b", speaker_ids="corpus")
    dataset = _open(tmp_path / "b", unscored="context")
    assert dataset.info.speakers == 4
    assert [d.speaker.tolist() for d in dataset.split("train")] == [[0, 1, 0], [2, 0]]
    assert dataset.bundle.manifest.speakers.names == ("Eve", "Ann", "Bob", "Cid")


def test_an_utterance_without_a_speaker_is_unknown(tmp_path: Path) -> None:
    bundle(tmp_path / "b", dialogues=edited(lambda u: replace(u, speaker="" if u.id == "d1_0" else u.speaker)))
    dataset = _open(tmp_path / "b", unscored="context")
    assert dataset.split("train")[0].speaker.tolist() == [2, 0, 1]


def test_what_people_read(folder: Path) -> None:
    dialogue = _open(folder).split("dev")[0]
    assert dialogue.id == "d3"
    second = dialogue.utterances[1]
    assert (second.id, second.speaker, second.text, second.start, second.end) == ("d3_1", "Ann", "d3 line 1", 1.0, 1.5)
    assert len(dialogue.utterances) == 2
    assert [u.id for u in dialogue.utterances[:1]] == ["d3_0"]


def test_targets(folder: Path) -> None:
    vad = _open(folder).split("train")[0].targets["vad"]
    assert vad.shape == (2, 2)
    assert vad[:, 0].tolist() == [1, 1]
    assert vad[:, 1].isnan().all()


def test_a_split_is_a_sequence_read_on_demand(folder: Path) -> None:
    split = _open(folder).split("train")
    (folder / "dialogues.jsonl").unlink()
    assert [d.id for d in split] == ["d1", "d2"]
    assert [d.id for d in split[1:]] == ["d2"]
    assert split[-1].id == "d2"
    assert len(_open_again(split)) == 2


def _open_again(split: Any) -> Any:
    """As a worker process gets it."""
    return pickle.loads(pickle.dumps(split))


def test_a_corpus_without_a_split_has_none(folder: Path) -> None:
    assert len(_open(folder).split("holdout")) == 0


# What may be wrong


def _refused(match: str, path: Path, *modalities: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(match)}"):
        _open(path, modalities or ("text",))


def test_a_missing_bundle(tmp_path: Path) -> None:
    _refused(f"dataset.path: no bundle at {tmp_path}/none", tmp_path / "none")


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    _refused(f"dataset.path: no bundle at {tmp_path}: it has no manifest.json", tmp_path)


def test_a_file_that_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("")
    _refused(f"dataset.path: no bundle at {tmp_path}/b", tmp_path / "b")


def test_a_damaged_bundle(folder: Path) -> None:
    (folder / "index.safetensors").write_bytes(b"")
    _refused(f"dataset.path: the bundle is damaged: {folder}/index.safetensors: ", folder)


@pytest.mark.parametrize(
    ("array", "row", "value", "cause"),
    [
        ("split", 1, 2, "train must have 2 dialogues, 5 utterances, 4 scored (got 1 dialogue, 3 utterances, 2 scored)"),
        ("split", 1, 9, "splits must be train, dev, test; train must have"),
        ("label", 0, 2, "labels must be -1 to 1 (got 1 others)"),
        ("offsets", 1, 0, "the index must divide the utterances into dialogues of at least one each; import it again"),
    ],
)
def test_an_index_that_contradicts_the_manifest_is_not_trained_on(
    folder: Path, array: str, row: int, value: int, cause: str
) -> None:
    path = folder / "index.safetensors"
    index = load_file(path)
    index[array][row] = value
    save_file(index, path)
    _refused(f"dataset.path: the bundle is damaged: {path}: {cause}", folder)


def test_an_unknown_modality(folder: Path) -> None:
    _refused(f"{folder} has no modality 'txt'; it has text, audio; did you mean 'text'?", folder, "txt", "audio")


def test_provenance_is_that_of_the_manifest_and_stays_with_a_run(folder: Path, tmp_path: Path) -> None:
    dataset = _open(folder)
    manifest, told = dataset.bundle.manifest, dataset.provenance()
    assert told["imported by"] == f"{manifest.made_by.importer}, ercframe {manifest.made_by.ercframe}"
    assert told["manifest"] == f"SHA-256 {dataset.fingerprint()}"
    assert told.get("licence", "") == manifest.licence
    write_inputs(tmp_path, Inputs(dataset.info, dataset.intake(), told))
    assert read_inputs(tmp_path).provenance == told
