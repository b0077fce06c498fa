"""The command that a run folder repeats: what its resolved recipe changes of the installed one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ercframe import recipes
from ercframe.comparison.finished import FinishedRun, flattened
from ercframe.comparison.naming import outermost_missing, written
from ercframe.errors import InputError
from ercframe.recipes.files import installed_names
from ercframe.recipes.resolved import to_yaml

_LEFT_OUT = ("name", "demo", "data_help")


def command(run: FinishedRun) -> str | None:
    """What repeats a run with the recipes installed now; None where that is not the recipe of the run any more.

    Settings that the run's version did not have are left at their defaults.
    """
    name = run.summary["recipe"]
    if name not in installed_names() or run.recipe.get("plugins"):
        return None
    settings = _settings(run.recipe)
    changes = list(_changes(settings, _resolved(name)))
    try:
        again = _resolved(name, changes)
    except InputError:
        return None
    if any(again.get(key, ...) != value for key, value in settings.items()):
        return None
    return " ".join(["ercframe run", f"recipes/{name}.yaml", *map(shlex.quote, changes)])


def _changes(settings: Mapping[str, Any], installed: Mapping[str, Any]) -> Iterator[str]:
    """``key=value`` of what differs; a loss that is gone is set to null."""
    for key, value in settings.items():
        if value != installed.get(key, ...):
            yield f"{key}={written(value)}"
    missing = dict.fromkeys(outermost_missing(key, settings) for key in installed if key not in settings)
    yield from (f"{key}=null" for key in missing if key.startswith("losses.") and key.count(".") == 1)


def _resolved(name: str, changes: list[str] | None = None) -> dict[str, Any]:
    """The settings of an installed recipe with changes."""
    return _settings(yaml.safe_load(to_yaml(recipes.load(name, changes or []).recipe, [])))


def _settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return dict(flattened({key: value for key, value in recipe.items() if key not in _LEFT_OUT}))
