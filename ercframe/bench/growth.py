"""How the cost of training grows with dialogue length, modalities, batch and corpus.

All conversations here are noise: what is measured does not depend on their values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ercframe.bench.subject import PARTS, of_step, timed_step
from ercframe.build import build_learner
from ercframe.components import Dataset
from ercframe.data.dialogue import Dialogue, Utterance, collate
from ercframe.data.manifest import MadeBy
from ercframe.data.records import Corpus, DialogueRecord, FeatureArray, UtteranceRecord
from ercframe.data.writer import write_bundle
from ercframe.errors import InputError
from ercframe.recipes import Loaded
from ercframe.specs import DatasetInfo
from ercframe.training.device import choose_device
from ercframe.training.optimizer import make_optimizer
from ercframe.training.precision import Precision
from ercframe.training.step import Step

LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
MODALITIES = (1, 2, 3, 4, 5, 6, 7, 8)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
CORPORA = (1_000, 10_000, 100_000, 1_000_000)
FEATURES, EMOTIONS, TURNS = 64, ("a", "b", "c", "d"), 20
UTTERANCES = 2000
"""In a step of the sweep over lengths: the longest dialogue alone, or as many shorter ones."""
REPEATS = 3

Point = dict[str, float]


def measure_length(loaded: Loaded, windowed: Loaded | None) -> dict[str, list[Point]]:
    """Time per utterance of a step over dialogue length, at the same number of utterances; with a window, too."""
    return {
        name: [
            {"x": length, **_step(one, _info(one.recipe.modalities), length, max(1, UTTERANCES // length))}
            for length in LENGTHS
        ]
        for name, one in {"whole dialogue": loaded, "window": windowed}.items()
        if one is not None
    }


def measure_modalities(loaded: Loaded) -> dict[str, list[Point]]:
    """Time per utterance of a step over the number of modalities."""
    named = [tuple(f"m{i}" for i in range(count)) for count in MODALITIES]
    return {"step": [{"x": len(names), **_step(loaded, _info(names), TURNS, 16)} for names in named]}


def measure_batch(loaded: Loaded) -> dict[str, list[Point]]:
    """Time per utterance of a step over the number of dialogues in a batch."""
    return {"step": [{"x": size, **_step(loaded, _info(loaded.recipe.modalities), TURNS, size)} for size in BATCHES]}


def measure_corpus(loaded: Loaded) -> dict[str, list[Point]]:
    """Time per utterance of opening a bundle and of collating it in random order, over its size."""
    found: dict[str, list[Point]] = {"open": [], "collate": []}
    kind: Any = loaded.registry.get("dataset", "bundle")
    for size in CORPORA:
        with TemporaryDirectory(prefix="ercframe-bench-") as folder:
            path = Path(folder) / "bundle"
            write_bundle(_corpus(size), path, MadeBy(ercframe="0", importer="bench", settings={}, sources=()))
            started = time.perf_counter()
            dataset: Dataset = kind(kind.Config(path=path), ["text"])
            train = dataset.split("train")
            opened = time.perf_counter()
            order = torch.randperm(len(train)).tolist()
            for start in range(0, len(order), 16):
                collate([train[i] for i in order[start : start + 16]])
            done = time.perf_counter()
        for name, seconds in (("open", opened - started), ("collate", done - opened)):
            found[name].append({"x": size, "seconds_per_utterance": seconds / size})
    return found


def with_window(load: Callable[[Sequence[str]], Loaded], overrides: Sequence[str]) -> Loaded | None:
    """The recipe with a window of ten utterances to either side; None where its encoder has no such setting."""
    try:
        return load([*overrides, "encoder.window={past: 10, future: 10}"])
    except InputError:
        return None


def _info(modalities: Sequence[str]) -> DatasetInfo:
    counts = (1,) * len(EMOTIONS)
    return DatasetInfo("noise", EMOTIONS, dict.fromkeys(modalities, FEATURES), speakers=2, class_counts=counts)


def _dialogue(info: DatasetInfo, length: int) -> Dialogue:
    generator = torch.Generator().manual_seed(length)
    return Dialogue(
        id=f"{length}",
        features={m: torch.randn(length, width, generator=generator) for m, width in info.modalities.items()},
        available={m: torch.ones(length, dtype=torch.bool) for m in info.modalities},
        speaker=torch.arange(length) % info.speakers,
        labels=torch.arange(length) % len(info.labels),
        utterances=[Utterance(str(i)) for i in range(length)],
    )


def _step(loaded: Loaded, info: DatasetInfo, length: int, dialogues: int) -> Point:
    """Seconds per utterance of the fastest of some training steps, after one that is not counted."""
    trainer = loaded.recipe.trainer
    device = choose_device(trainer.device)
    torch.manual_seed(0)
    learner = build_learner(loaded, info).to(device).train()
    precision = Precision.choose(trainer.precision, device).suited_to(learner.model)
    step = Step(learner, make_optimizer(trainer.optimizer, learner), precision, precision.scaler())
    batch = [_dialogue(info, length)] * dialogues
    with precision.matmuls():
        measured = [timed_step(of_step(step, device), batch, device) for _ in range(1 + REPEATS)][1:]
    fastest = min(sum(one[part] for part in PARTS) for one in measured)
    return {"seconds_per_utterance": fastest / (length * dialogues)}


def _corpus(size: int) -> Corpus:
    def record(index: int) -> DialogueRecord:
        turns = (UtteranceRecord(f"{index}_{i}", "AB"[i % 2], i % len(EMOTIONS)) for i in range(TURNS))
        return DialogueRecord(str(index), "train", tuple(turns))

    dialogues = tuple(record(index) for index in range(size // TURNS))
    features = np.random.default_rng(0).standard_normal((size, 16), dtype=np.float32)
    return Corpus("noise", EMOTIONS, dialogues, {"text": FeatureArray(features, {"noise": 16})})
