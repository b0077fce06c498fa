"""What is known of a run as named numbers, which is what tools for tracking take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ercframe.metrics import Scores
from ercframe.training.epoch import Epoch


def epoch_values(epoch: Epoch, labels: Sequence[str]) -> dict[str, float]:
    """An epoch: ``loss``, ``terms/NAME``, ``dev/weighted_f1``, ``dev/f1/LABEL``, …, ``learning_rate``, ``seconds``."""
    values = {"loss": epoch.loss, **{f"terms/{name}": value for name, value in epoch.terms.items()}}
    for split, scores in (("dev", epoch.dev), ("test", epoch.test)):
        if scores:
            values |= {f"{split}/{name}": value for name, value in _scores(scores, labels).items()}
    return {**values, **_learning_rates(epoch), "seconds": epoch.seconds}


def seed_values(summary: Mapping[str, Any], labels: Sequence[str]) -> dict[str, float]:
    """A seed's summary: ``total/epochs``, ``selected/epoch``, ``selected/test/weighted_f1``, ``last/test/f1/…``, …"""
    ways = {key: value for key, value in summary.items() if isinstance(value, Mapping)}
    totals = {"epochs": summary["epochs"], "seconds": summary["seconds"]}
    return dict(_numbers({"total": totals, **ways}, labels))


def run_values(summary: Mapping[str, Any]) -> dict[str, float]:
    """A run's summary: ``selected/test/weighted_f1/mean``, ``…/std``; the latter where there are several seeds."""
    return dict(_numbers(summary["over_seeds"], ()))


def _learning_rates(epoch: Epoch) -> dict[str, float]:
    """One number where there is one group of parameters; else one for each group."""
    if len(epoch.learning_rates) == 1:
        (rate,) = epoch.learning_rates.values()
        return {"learning_rate": rate}
    return {f"learning_rate/{group}": rate for group, rate in epoch.learning_rates.items()}


def _scores(scores: Scores, labels: Sequence[str]) -> dict[str, float]:
    return {**scores.headline(), **{f"f1/{label}": value for label, value in zip(labels, scores.f1, strict=True)}}


def _numbers(found: Mapping[str, Any], labels: Sequence[str], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in mappings in mappings, by path, and those of the list ``f1`` by label."""
    for key, value in found.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, labels, f"{prefix}{key}/")
        elif key == "f1":
            yield from ((f"{prefix}f1/{label}", x) for label, x in zip(labels, value, strict=True))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", value
