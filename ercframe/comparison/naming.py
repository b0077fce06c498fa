"""What to call runs that are beside each other: by their recipes, and by what tells runs of one recipe apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ercframe.comparison.finished import FinishedRun, flattened

_UNTOLD = (
    "name",
    "data_help",
    "demo",
    "ablations",
    "trackers",
    "protocol.seeds",
    "trainer.device",
    "trainer.checkpoint_seconds",
)
"""Settings that do not make a run another experiment."""


def names(runs: Sequence[FinishedRun]) -> list[str]:
    """A name for each run, all different: the recipe's and, where it does not do, the settings that differ.

    Of the runs of one recipe, the settings of the first are what the others' are told against; runs that do not
    differ in any are told apart by their folders.
    """
    first: dict[str, Mapping[str, Any]] = {}
    found = []
    for run in runs:
        recipe, settings = run.summary["recipe"], dict(flattened(run.recipe))
        base = first.setdefault(recipe, settings)
        changed = [
            f"{key}={written(settings[key])}"
            for key in settings
            if not key.startswith(_UNTOLD) and settings[key] != base.get(key, _MISSING)
        ]
        gone = {outermost_missing(key, settings) for key in base if key not in settings and not key.startswith(_UNTOLD)}
        found.append(", ".join([recipe, *changed, *(f"without {key}" for key in sorted(gone))]))
    times = Counter(found)
    return [name if times[name] == 1 else f"{name} ({run.path.name})" for name, run in zip(found, runs, strict=True)]


_MISSING = object()


def outermost_missing(key: str, settings: Mapping[str, Any]) -> str:
    """The outermost part of a key of which the settings have nothing."""
    parts = key.split(".")
    for depth in range(1, len(parts)):
        outer = ".".join(parts[:depth])
        if not any(other == outer or other.startswith(f"{outer}.") for other in settings):
            return outer
    return key


def written(value: Any) -> str:
    """A setting's value as ``KEY=VALUE`` takes it."""
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
