"""The result of a run as numbers: each seed under each way of choosing an epoch, and over the seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from ercframe.build import Experiment
from ercframe.metrics import Scores
from ercframe.settings import ProtocolSettings
from ercframe.statistics.confusion import HEADLINE
from ercframe.training.epoch import Epoch, best

WAYS = ("selected", "selected_on_test", "last")
"""Ways of choosing an epoch: the protocol's own, the best test epoch, the last epoch."""


def seed_summary(
    seed: int, epochs: Sequence[Epoch], chosen: Epoch, protocol: ProtocolSettings, finished: bool
) -> dict[str, Any]:
    """One seed: the epoch the protocol chose and, where test was scored after every epoch, what the others say.

    Not finished is a seed that was interrupted; resuming the run takes its summary back.
    """
    result: dict[str, Any] = {
        "seed": seed,
        "finished": finished,
        "epochs": len(epochs),
        "seconds": round(sum(epoch.seconds for epoch in epochs), 1),
        "selected": _described(chosen),
    }
    if protocol.show_gap:
        result["selected_on_test"] = _described(best(epochs, "test", protocol.monitor))
        result["last"] = _described(epochs[-1])
    return result


def summarise(experiment: Experiment, seeds: Sequence[dict[str, Any]], parameters: int, status: str) -> dict[str, Any]:
    """The whole run, as ``summary.json`` keeps it. Scores are shares of 1; deviations have ddof 1."""
    recipe, info, splits = experiment.loaded.recipe, experiment.info, experiment.splits
    return {
        "recipe": recipe.name,
        "status": status,
        "protocol": recipe.protocol.model_dump(mode="json"),
        "selection": selection(recipe.protocol),
        "dataset": {
            "name": info.name,
            "generated": info.generated,
            "labels": list(info.labels),
            "modalities": dict(info.modalities),
            "dialogues": {"train": len(splits.train), "dev": len(splits.dev), "test": len(splits.test)},
            "dev": splits.dev_origin,
            "test": splits.test_origin,
            "warnings": list(splits.warnings),
            "class_counts": list(info.class_counts),
            "facts": dict(info.facts),
        },
        "parameters": parameters,
        "seeds": list(seeds),
        "over_seeds": {way: _over_seeds(seeds, way) for way in WAYS if seeds and way in seeds[0]},
    }


def selection(protocol: ProtocolSettings) -> str:
    """How the epoch of the result is chosen, as every table says it."""
    return "selected on test" if protocol.name == "paper" else "selected on dev"


def _described(epoch: Epoch) -> dict[str, Any]:
    found: dict[str, Any] = {"epoch": epoch.number}
    for split, scores in (("dev", epoch.dev), ("test", epoch.test)):
        if scores:
            found[split] = scores_in_full(scores)
    return found


def scores_in_full(scores: Scores) -> dict[str, Any]:
    """Scores as files keep them: the headline, the F1 of each class and the confusion."""
    return {**scores.headline(), "f1": list(scores.f1), "confusion": [list(row) for row in scores.confusion]}


def _over_seeds(seeds: Sequence[dict[str, Any]], way: str) -> dict[str, Any]:
    """Mean and standard deviation of each headline score, for each split."""
    splits = [split for split in ("dev", "test") if split in seeds[0][way]]
    return {split: {name: spread(seed[way][split][name] for seed in seeds) for name in HEADLINE} for split in splits}


def spread(values: Iterable[float]) -> dict[str, float | None]:
    """Mean and standard deviation over seeds, with ddof 1; None where there is one value."""
    found = list(values)
    return {"mean": statistics.fmean(found), "std": statistics.stdev(found) if len(found) > 1 else None}
