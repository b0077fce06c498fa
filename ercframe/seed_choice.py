"""Which of a run's seeds to take where one has to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ercframe.statistics.confusion import NAMES


@dataclass(frozen=True)
class ChosenSeed:
    """One of a run's seeds, and why this one, in a few words."""

    seed: int
    why: str


def best_seed(summary: Mapping[str, Any]) -> ChosenSeed:
    """The best on dev; without dev the first. Test is never looked at.

    Args:
        summary: what ``summary.json`` holds, with at least one seed.
    """
    entries, monitor = summary["seeds"], summary["protocol"]["monitor"]
    if len(entries) == 1:
        return ChosenSeed(entries[0]["seed"], "the only one")
    if not all("dev" in entry["selected"] for entry in entries):
        return ChosenSeed(entries[0]["seed"], "the first, for want of dev")
    best = max(entries, key=lambda entry: entry["selected"]["dev"][monitor])
    return ChosenSeed(best["seed"], f"the best of {len(entries)} by {NAMES[monitor]} on dev")
