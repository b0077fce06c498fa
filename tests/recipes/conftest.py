"""A folder to keep recipes in."""

from pathlib import Path

import numpy as np
import pytest
from small_recipe import MINE

from ercframe.cli.app import run_app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mine(folder: Path) -> Path:
    """``mine.yaml`` in the current directory: a small recipe without a mistake."""
    (folder / "mine.yaml").write_text(MINE, encoding="utf-8")
    return Path("mine.yaml")


@pytest.fixture
def tiny_bundle(folder: Path) -> Path:
    """A bundle of three dialogues in the current directory, with the modalities text and audio."""
    rows = np.arange(6)
    np.savez(
        folder / "tiny.npz",
        utterance_id=np.array([f"u{i}" for i in rows]),
        dialogue=np.array(["a", "a", "b", "b", "c", "c"]),
        order=rows,
        speaker=np.array(["F", "M"] * 3),
        split=np.array(["train", "train", "dev", "dev", "test", "test"]),
        label=rows % 2,
        label_names=np.array(["happy", "sad"]),
        words=np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32),
        pitch=np.random.default_rng(1).normal(size=(6, 2)).astype(np.float32),
    )
    arguments = ["data", "import", "npz", "tiny.npz", "bundle", "--modality", "text=words", "--modality", "audio=pitch"]
    assert run_app(arguments) == 0
    return Path("bundle")
