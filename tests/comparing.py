"""Run folders as runs leave them, made of given predictions, for whatever compares runs."""

import json
from pathlib import Path

import numpy as np
import torch
import yaml

from ercframe.metrics import Scores
from ercframe.summary import scores_in_full

LABELS = ("joy", "anger", "calm")
DIALOGUES, TURNS = 40, 8


def labels(seed: int = 0, dialogues: int = DIALOGUES, turns: int = TURNS) -> np.ndarray:
    """An emotion for each turn of each dialogue, ``(B, T)``."""
    return np.random.default_rng(seed).integers(len(LABELS), size=(dialogues, turns))


def guesses(label, accuracy: float, seed: int) -> np.ndarray:
    """The labels, with others in their place here and there."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(label.shape) < accuracy, label, (label + 1) % len(LABELS))


def run(
    path: Path, label, predicted, *, recipe: str = "mine", settings=(), seeds=None, names=LABELS, **summary
) -> Path:
    """Write a run folder.

    Args:
        path: the folder.
        label: ``(B, T)``.
        predicted: of each seed, ``(S, B, T)``.
        recipe: its name.
        settings: of the recipe, beside seeds.
        seeds: their numbers; 0, 1, … if left out.
        names: of the emotions.
        summary: changes to ``summary.json``; ``environment`` to that file.
    """
    seeds = list(range(len(predicted))) if seeds is None else list(seeds)
    environment = {"data": "aa", "dataset": "bb", **summary.pop("environment", {})}
    entries = []
    for seed, answer in zip(seeds, predicted, strict=True):
        folder = path / f"seed-{seed}"
        folder.mkdir(parents=True)
        rows = [
            {"split": "test", "dialogue": f"d{b:03}", "utterance": f"u{t}", "label": names[x], "prediction": names[y]}
            for b, (xs, ys) in enumerate(zip(label.tolist(), answer.tolist(), strict=True))
            for t, (x, y) in enumerate(zip(xs, ys, strict=True))
        ]
        (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        scores = scores_in_full(Scores.of(torch.tensor(answer.ravel()), torch.tensor(label.ravel()), len(names)))
        better = {**scores, "weighted_f1": scores["weighted_f1"] + 0.02}
        entries.append(
            {
                "seed": seed,
                "finished": True,
                "selected": {"epoch": 2, "dev": scores, "test": scores},
                "selected_on_test": {"epoch": 3, "test": better},
                "last": {"epoch": 4, "test": scores},
            }
        )
    found = {
        "recipe": recipe,
        "status": "finished",
        "selection": "selected on dev",
        "protocol": {"name": "heldout", "monitor": "weighted_f1"},
        "dataset": {"name": "talk", "generated": False, "labels": list(names)},
        "parameters": 1234,
        "seeds": entries,
    }
    (path / "summary.json").write_text(json.dumps(found | summary))
    (path / "environment.json").write_text(json.dumps(environment))
    tree = {"name": recipe, "protocol": {"seeds": len(seeds)}, **dict(settings)}
    (path / "recipe.yaml").write_text(yaml.safe_dump(tree))
    return path
