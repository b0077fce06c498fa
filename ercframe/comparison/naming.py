"""What to call runs that are beside each other: by their recipes, and by what tells runs of one recipe apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Called:
    """What a run may be called after.

    Attributes:
        recipe: name of its recipe.
        settings: the resolved recipe, as plain values.
        path: its folder.
    """

    recipe: str
    settings: Mapping[str, Any]
    path: Path


def names(runs: Sequence[Called]) -> list[str]:
    """A name for each run, all different: the recipe's and, where it does not do, the settings that differ.

    Of the runs of one recipe, the settings of the first are what the others' are told against; runs that do not
    differ in any are told apart by their folders.
    """
    first: dict[str, Mapping[str, Any]] = {}
    found = []
    for run in runs:
        settings = dict(flattened(run.settings))
        base = first.setdefault(run.recipe, settings)
        changed = [
            f"{key}={written(settings[key])}"
            for key in settings
            if not key.startswith(_UNTOLD) and settings[key] != base.get(key, _MISSING)
        ]
        gone = {outermost_missing(key, settings) for key in base if key not in settings and not key.startswith(_UNTOLD)}
        found.append(", ".join([run.recipe, *changed, *(f"without {key}" for key in sorted(gone))]))
    times = Counter(found)
    folders = [run.path.resolve().name for run in runs]
    return [name if times[name] == 1 else f"{name} ({folder})" for name, folder in zip(found, folders, strict=True)]


_MISSING = object()


def flattened(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a resolved recipe by their dotted keys; lists are values."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from flattened(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


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
