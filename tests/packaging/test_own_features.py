"""The page about features of one's own: its scripts make files that are imported."""

import csv
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from guide import write_files

from ercframe import Bundle
from ercframe.cli.app import run_app

PAGE = Path(__file__).parents[2] / "docs" / "data" / "own-features.md"
TURNS = [("a", "train"), ("b", "train"), ("c", "dev"), ("d", "test")]


@pytest.fixture(autouse=True)
def _page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(PAGE, tmp_path)
    monkeypatch.chdir(tmp_path)


def _python(script: str) -> None:
    subprocess.run([sys.executable, script], check=True)


def test_a_csv_and_arrays(tmp_path: Path) -> None:
    rows = [
        {"id": f"{d}{turn}", "dialogue": d, "turn": turn, "speaker": "Zoë", "split": split, "text": "Hm, yes."}
        | {"emotion": ["joy", "", "anger"][turn]}
        for d, split in TURNS
        for turn in range(3)
    ]
    with (tmp_path / "utterances.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    text_ND = np.arange(24.0).reshape(12, 2) ** 2
    np.save("text.npy", text_ND)
    np.save("audio.npy", text_ND)
    _python("from_csv.py")
    modalities = ["--modality", "text=text_features", "--modality", "audio=audio_features"]
    assert run_app(["data", "import", "npz", "mine.npz", "mine", *modalities]) == 0
    manifest = Bundle(tmp_path / "mine").manifest
    assert manifest.labels == ("anger", "joy")
    assert (manifest.utterances, manifest.splits["train"].scored) == (12, 4)


def test_a_pickle_of_the_field(tmp_path: Path) -> None:
    ids = {d: [f"{d}_{i}" for i in range(2)] for d, _ in TURNS}
    numbers = {d: [np.full(3, 7.0 * i + ord(d)) for i in range(2)] for d in ids}
    items = (
        ids,
        {d: ["F", "M"] for d in ids},
        {d: [0, 5] for d in ids},
        numbers,
        numbers,
        numbers,
        {d: ["Hello.", "Hm."] for d in ids},
        {"a", "b", "c"},
        ["d"],
    )
    (tmp_path / "features.pkl").write_bytes(pickle.dumps(items, protocol=2))
    _python("from_pickle.py")
    modalities = [f"--modality={m}={m}_features" for m in ("text", "audio", "visual")]
    assert run_app(["data", "import", "npz", "features.npz", "features", *modalities]) == 0
    bundle = Bundle(tmp_path / "features")
    assert bundle.manifest.labels == ("hap", "sad", "neu", "ang", "exc", "fru")
    assert (bundle.manifest.dialogues, bundle.manifest.utterances) == (4, 8)
