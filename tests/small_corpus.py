"""A corpus of four dialogues that a test can read at a glance, as records, as a bundle and as an .npz file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ercframe import Bundle, Corpus, DialogueRecord, FeatureArray, UtteranceRecord
from ercframe.data.manifest import MadeBy
from ercframe.data.writer import write_bundle

NAN = float("nan")
LABELS = ("joy", "anger")
MADE_BY = MadeBy(ercframe="0", importer="test", settings={}, sources=())

# Two training dialogues, one of dev, one of test; Eve speaks in all of them, the others come and go.
SPEAKERS = {"d1": "Eve Ann Eve", "d2": "Bob Eve", "d3": "Eve Ann", "d4": "Cid"}
SPLITS = {"d1": "train", "d2": "train", "d3": "dev", "d4": "test"}
LABEL_OF = {"d1": (0, -1, 1), "d2": (1, 0), "d3": (0, 1), "d4": (-1,)}

TEXT = np.array(
    [[1, 5, 0], [3, 5, 2], [5, 5, 1], [7, 5, 1], [9, 5, NAN], [11, 6, 1], [13, 5, 1], [15, 5, 9]], "float16"
)
AUDIO = np.array([[10, 1], [NAN, NAN], [30, 3], [NAN, 4], [50, 5], [60, 6], [NAN, NAN], [80, 8]], "float32")


def dialogues() -> tuple[DialogueRecord, ...]:
    """The four dialogues; utterance ``d1_0`` starts at 0 s and every next one a second later."""
    return tuple(
        DialogueRecord(
            name,
            SPLITS[name],
            tuple(
                UtteranceRecord(
                    f"{name}_{i}", speaker, label, f"{name} line {i}", float(i), i + 0.5, {"vad": (1.0, NAN)}
                )
                for i, (speaker, label) in enumerate(zip(speakers.split(), LABEL_OF[name], strict=True))
            ),
        )
        for name, speakers in SPEAKERS.items()
    )


def corpus(**changes: Any) -> Corpus:
    """The corpus, with some of its attributes changed."""
    features = {"text": FeatureArray(TEXT, {"words": 3}), "audio": FeatureArray(AUDIO, {"pitch": 1, "energy": 1})}
    return replace(Corpus("small", LABELS, dialogues(), features), **changes)


def edited(change: Callable[[UtteranceRecord], UtteranceRecord]) -> tuple[DialogueRecord, ...]:
    """The dialogues with every utterance changed."""
    return tuple(replace(d, utterances=tuple(map(change, d.utterances))) for d in dialogues())


def bundle(path: Path, **changes: Any) -> Bundle:
    """Write the corpus as a bundle and open it."""
    write_bundle(corpus(**changes), path, MADE_BY)
    return Bundle(path)


def arrays(**changes: Any) -> dict[str, Any]:
    """The corpus as the arrays of an ``.npz`` file, shuffled; a change to None leaves an array out."""
    rows = [(d, u, i) for d in dialogues() for i, u in enumerate(d.utterances)]
    shuffled = np.array([3, 0, 7, 5, 1, 6, 4, 2])
    columns = {
        "utterance_id": [u.id for _, u, _ in rows],
        "dialogue": [d.id for d, _, _ in rows],
        "order": [10 * i for _, _, i in rows],
        "speaker": [u.speaker for _, u, _ in rows],
        "split": [{"dev": "valid"}.get(d.split, d.split) for d, _, _ in rows],
        "label": [u.label for _, u, _ in rows],
        "text": [u.text for _, u, _ in rows],
        "words": TEXT,
        "pitch": AUDIO[:, :1],
        "energy": AUDIO[:, 1:],
        "vad": np.full((8, 2), 2.5),
    }
    found: dict[str, Any] = {name: np.array(values)[shuffled] for name, values in columns.items()}
    found |= {"label_names": np.array(LABELS)} | changes
    return {name: values for name, values in found.items() if values is not None}
