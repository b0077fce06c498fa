"""The command that a run folder repeats: what its resolved recipe changes of the installed one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ercframe import recipes
from ercframe.comparison.finished import FinishedRun
from ercframe.comparison.naming import flattened, outermost_missing, written
from ercframe.errors import InputError
from ercframe.recipes.files import installed_folder, installed_names
from ercframe.recipes.resolved import plain


def command(run: FinishedRun) -> str | None:
    """What repeats a run with the recipes installed now; None where that is not the recipe of the run any more.

    Settings that the run's version did not have are left at their defaults. A trial of a sweep, which is called
    after its recipe and what it changes, is repeated by an ordinary run of the recipe with these changes.
    """
    called = run.summary["recipe"]
    name = max((n for n in installed_names() if called == n or called.startswith(f"{n}-")), key=len, default=None)
    if name is None or run.recipe.get("plugins"):
        return None
    parts = _installed(name)
    # A run folder may come from anywhere: what is no part of a recipe, such as plugin files to load, is not taken over.
    settings = dict(flattened({part: run.recipe[part] for part in parts if part in run.recipe}))
    changes = list(_changes(settings, dict(flattened(parts))))
    try:
        again = dict(flattened(_installed(name, changes)))
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


def _installed(name: str, changes: Sequence[str] = ()) -> dict[str, Any]:
    """What the results of an installed recipe with changes come from, by part."""
    found = plain(recipes.load(installed_folder() / f"{name}.yaml", changes).recipe)
    return {part: value for part, value in found.items() if part != "name"}
