"""A small file such as SDT's authors hand out, with random numbers for features."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ercframe_plugins.importers.sdt_items import ITEMS, Layout

_TRAIN, _TEST = "Ses01_a", "Ses02_b"


def write_example(path: Path, layout: Layout) -> None:
    """Write a tuple of the layout with one dialogue for train and one for test, each with every emotion once."""
    length, generator = len(layout.labels), np.random.default_rng(0)
    one_hot = np.eye(max(layout.speakers, 2), dtype=int).tolist()
    items: dict[str, Any] = {"train": [_TRAIN], "test": [_TEST]}
    for dialogue in (_TRAIN, _TEST):
        sides = layout.sides or one_hot
        columns: dict[str, Any] = {
            "ids": [f"{dialogue}_{i}" for i in range(length)],
            "speakers": [sides[i % 2] for i in range(length)],
            "labels": list(range(length)),
            "sentences": [f"I say {i}." for i in range(length)],
        }
        for item, width in layout.widths.items():
            columns[item] = list(generator.normal(size=(length, width)).astype(np.float32))
        for item, values in columns.items():
            items.setdefault(item, {})[dialogue] = values
    content = (*(items[item] for item in ITEMS), *[{}] * layout.ignored)
    path.write_bytes(pickle.dumps(content, protocol=2))
