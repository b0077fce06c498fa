"""Features that give the answer away are warned of; features that do not are left alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from ercframe import Corpus, DialogueRecord, FeatureArray, UtteranceRecord
from ercframe.cli.app import run_app
from ercframe.data.check import check_bundle
from ercframe.data.manifest import MadeBy
from ercframe.data.writer import write_bundle

LABELS = ("joy", "anger", "neutral")
SPLITS = ("train", "train", "train", "dev", "test")
TURNS = 40
ROWS = TURNS * len(SPLITS)
EMOTION = np.arange(ROWS) % 3


def noise(width: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(ROWS, width)).astype("float32")


def leaks(folder: Path, text: np.ndarray, labels: np.ndarray = EMOTION, targets: np.ndarray | None = None) -> list[str]:
    """What ``check`` says about leaks in a bundle with these features."""

    def record(row: int) -> UtteranceRecord:
        target = {} if targets is None else {"valence": (float(targets[row]),)}
        return UtteranceRecord(f"u{row}", "Ann", int(labels[row]), targets=target)

    dialogues = [
        DialogueRecord(f"d{d}", split, tuple(map(record, range(d * TURNS, (d + 1) * TURNS))))
        for d, split in enumerate(SPLITS)
    ]
    corpus = Corpus("made up", LABELS, dialogues, {"text": FeatureArray(text)})
    write_bundle(corpus, folder / "bundle", MadeBy(ercframe="0", importer="test", settings={}, sources=()))
    return [f.message for f in check_bundle(folder / "bundle") if f.topic == "leak"]


def test_noise_tells_nothing(tmp_path: Path) -> None:
    assert leaks(tmp_path, noise(200), targets=noise(1, seed=1)[:, 0]) == []


def test_a_score_of_an_emotion_is_a_leak(tmp_path: Path) -> None:
    text = noise()
    text[:, 2] = (EMOTION == 1) + 0.1 * text[:, 2]
    assert leaks(tmp_path, text) == [
        "text: 1 column (2) alone nearly separates anger from the others: was it made from the labels?"
    ]


def test_the_label_as_a_number_is_a_leak_of_the_first_and_the_last(tmp_path: Path) -> None:
    text = noise()
    text[:, 0] = -EMOTION
    assert [message.split("separates ")[1].split()[0] for message in leaks(tmp_path, text)] == ["joy", "neutral"]


def test_a_good_feature_is_no_leak(tmp_path: Path) -> None:
    text = noise()
    text[:, 2] += 2 * (EMOTION == 1)  # area under the curve about 0.92
    assert leaks(tmp_path, text) == []


def test_only_training_rows_are_judged(tmp_path: Path) -> None:
    text = noise()
    text[3 * TURNS :, 2] = 50 * (EMOTION[3 * TURNS :] == 1)
    assert leaks(tmp_path, text) == []


def test_an_emotion_with_few_rows_is_not_judged(tmp_path: Path) -> None:
    labels = np.zeros(ROWS, dtype=int)
    labels[:9] = 1
    text = noise(50)
    text[:9, 2] += 100
    assert leaks(tmp_path, text, labels) == []


@pytest.mark.parametrize(("hidden", "way"), [(EMOTION == 1, "missing"), (EMOTION != 1, "there")])
def test_availability_that_tells_an_emotion_is_a_leak(tmp_path: Path, hidden: np.ndarray, way: str) -> None:
    text = noise()
    text[hidden] = np.nan
    messages = leaks(tmp_path, text)
    told = "text: whether it is there tells anger apart"
    assert f"{told}: it is {way} for anger and not for the others" in messages


def test_rows_missing_at_random_are_no_leak(tmp_path: Path) -> None:
    text = noise()
    text[np.random.default_rng(3).random(ROWS) < 0.5] = np.nan
    assert leaks(tmp_path, text) == []


def test_a_target_among_the_features_is_a_leak(tmp_path: Path) -> None:
    text, valence = noise(), noise(1, seed=1)[:, 0]
    text[:, 1] = 5 - 3 * valence
    assert leaks(tmp_path, text, targets=valence) == [
        "text: 1 column (1) alone agrees with the target valence, which is to be predicted"
    ]


def test_findings_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = noise()
    text[:, 2] = EMOTION == 1
    leaks(tmp_path, text)
    assert run_app(["data", "check", str(tmp_path / "bundle"), "--json", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["schema_version"] == 1
    assert found["counts"]["warning"] == sum(f["level"] == "warning" for f in found["findings"])
    assert [f["topic"] for f in found["findings"]].count("leak") == 1
    assert "nearly separates anger" in capsys.readouterr().out
