"""A small run to report on."""

from pathlib import Path
from typing import Any

import small_runs

RECIPE = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 8, "dev": 3, "test": 6, "labels": 4},
    "encoder": {"type": "identity", "width": 4},
    "fusion": {"type": "gated"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy"}, "distill": {"type": "self_distillation"}},
    "trainer": {"epochs": 3, "batch_dialogues": 4, "device": "cpu"},
    "protocol": {"seeds": 2},
}


def train(folder: Path, name: str = "tiny", **changes: Any) -> Path:
    """Train it; the run folder."""
    return small_runs.train(folder, RECIPE | changes, name)
