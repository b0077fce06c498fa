"""A tiny recipe, and variations of it or of another."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ercframe import recipes
from ercframe.build import Experiment, assemble

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 10, "dev": 4, "test": 4, "labels": 4},
    "encoder": {"type": "identity", "width": 8},
    "fusion": {"type": "concat"},
    "classifier": {"type": "mlp", "hidden": [8], "dropout": 0.3},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 3, "batch_dialogues": 4, "optimizer": {"lr": 0.01}, "device": "cpu"},
    "protocol": {"seeds": 1},
}


def variations(folder: Path, recipe: Mapping[str, Any] = TINY) -> Callable[..., Experiment]:
    """What assembles the recipe, with ``key=value`` changes."""
    (folder / "tiny.yaml").write_text(yaml.safe_dump(dict(recipe)))
    return lambda *overrides: assemble(recipes.load(folder / "tiny.yaml", overrides))
