"""A run on features that extractors computed, and conversations to predict with it."""

import json
from pathlib import Path

import extracting
import small_runs

from ercframe import Bundle

RECIPE = {
    "modalities": ["text", "centred", "audio"],
    "dataset": {"type": "bundle"},
    "encoder": {"type": "intra_inter_transformer", "width": 8, "heads": 2, "dropout": 0.0, "window": {"future": 0}},
    "fusion": {"type": "hierarchical_gated"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 2, "batch_dialogues": 4, "device": "cpu", "optimizer": {"lr": 0.01}},
    "protocol": {"seeds": 2},
}


def train(folder: Path, **changes) -> Path:
    """Extract three modalities into a bundle of 30 utterances, train on them, and return the run folder."""
    bundle = extracting.many(folder / "bundle", 30, folder / "media").path
    for name in ("letters", "centred", "bytes"):
        media = folder / "media" if name == "bytes" else None
        extracting.run(extracting.order(folder, name, bundle, media=media))
    recipe = {**RECIPE, **changes, "dataset": {"type": "bundle", "path": str(bundle)}}
    return small_runs.train(folder, recipe, "small")


def as_lines(bundle: Path, split: str = "test") -> list[dict]:
    """The turns of a split as a person would write them down."""
    opened = Bundle(bundle)
    keys = ("id", "speaker", "text", "media")
    return [
        {"dialogue": record["id"], **{key: turn[key] for key in keys if key in turn}}
        for record in (opened.record(int(i)) for i in opened.dialogues(split))
        for turn in record["utterances"]
    ]


def write(path: Path, lines: list[dict]) -> Path:
    """Write turns, one a line."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
