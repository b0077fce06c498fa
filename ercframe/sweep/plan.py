"""What a sweep is about to train: every setting loaded and assembled before the first one is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ercframe import __version__, recipes
from ercframe.build import Experiment, assemble
from ercframe.errors import InputError, Problem
from ercframe.recipes.resolved import plain
from ercframe.resumption import data_digest, origins
from ercframe.runs import digest, plugin_copies
from ercframe.wording import counted

Changes = Mapping[str, str]
"""Dotted keys of a recipe and the YAML of their values."""


@dataclass(frozen=True)
class Source:
    """The recipe of a sweep, and what holds for all its trials; as for :func:`ercframe.recipes.load`."""

    recipe: str
    overrides: tuple[str, ...] = ()
    plugin_files: tuple[Path, ...] = ()
    demo: bool = False

    def load(self, changes: Changes) -> recipes.Loaded:
        """The recipe with further changes, which win.

        Raises:
            InputError: something in it is wrong.
        """
        further = [f"{key}={value}" for key, value in changes.items()]
        return recipes.load(self.recipe, [*self.overrides, *further], plugin_files=self.plugin_files, demo=self.demo)

    def as_json(self) -> dict[str, Any]:
        """What ``sweep.json`` keeps of it."""
        files = [str(file) for file in self.plugin_files]
        return {"recipe": self.recipe, "overrides": self.overrides, "plugin_files": files, "demo": self.demo}

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Source:
        """What :meth:`as_json` made."""
        files = tuple(Path(file) for file in found["plugin_files"])
        return cls(found["recipe"], tuple(found["overrides"]), files, found["demo"])


@dataclass(frozen=True)
class Trial:
    """One setting with all its seeds: an ordinary run.

    Attributes:
        name: what the sweep calls it.
        changes: how its recipe differs from the sweep's.
        recipe: the resolved recipe as ``ercframe run`` shall read it.
        run_name: the name in that recipe, under which run folders are filed.
        content: what its recipe trains, as :func:`content` has it.
        files, data: what ``environment.json`` of its run folder says of recipe, plugins and data.
        versions: of the packages that train it, such as ``ercframe 0.1.0``.
        warnings: what of its splits makes its scores on test too high.
    """

    name: str
    changes: Changes
    recipe: str
    run_name: str
    content: str
    files: Mapping[str, str]
    data: str
    versions: frozenset[str]
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What the trial is recognised by: what its recipe trains, plugins and data."""
        return digest(json.dumps([self.content, plugin_digests(self.files), self.data]).encode())[:16]


def content(recipe: recipes.Recipe) -> str:
    """Digest of all in a recipe that results come from; how often states are saved changes none, nor do trackers."""
    found = plain(replace(recipe, name=""))
    del found["trainer"]["checkpoint_seconds"]
    found["protocol"]["seeds"] = recipe.protocol.seed_list()
    return digest(json.dumps(found).encode())


def plugin_digests(files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Those of ``files`` that are plugins, with their digests."""
    return sorted((name, found) for name, found in files.items() if name != "recipe.yaml")


def packages(ercframe: str, components: Mapping[str, str]) -> set[str]:
    """Packages and versions: of ercframe, and of all that components come from, as ``environment.json`` names them."""
    return {f"ercframe {ercframe}", *(text.partition(" (")[0] for text in components.values() if text.endswith(")"))}


def plan(source: Source, settings: Mapping[str, Changes]) -> list[Trial]:
    """Load and assemble every setting.

    Args:
        source: the recipe.
        settings: changes by the name of the trial.

    Raises:
        InputError: at least one of them cannot be trained; lists all that is wrong, each thing once.
    """
    trials, problems = [], dict[tuple[str, str], list[str]]()
    for name, changes in settings.items():
        try:
            trials.append(_trial(name, changes, assemble(source.load(changes))))
        except InputError as error:
            for what, message in _told(error):
                problems.setdefault((what, message), []).append(name)
    if problems:
        wrong = len({name for names in problems.values() for name in names})
        raise InputError(
            f"{wrong} of {counted(len(settings), 'trial')} cannot be trained; none was started",
            [Problem(_named(names), what, message) for (what, message), names in problems.items()],
        )
    return trials


def _trial(name: str, changes: Changes, experiment: Experiment) -> Trial:
    recipe = experiment.loaded.recipe
    # Nothing that does not train: a change of the help must not make it another trial.
    recipe = replace(recipe, name=f"{recipe.name}-{name}", ablations={}, demo={}, data_help="")
    copies = plugin_copies(recipe.plugin_files)
    files = {copy: digest(file.read_bytes()) for copy, file in copies.items()}
    files["recipe.yaml"] = digest(recipe.to_yaml(list(copies)).encode())
    made_by = packages(__version__, {part: str(origin) for part, origin in origins(experiment).items()})
    return Trial(
        name,
        changes,
        recipe.to_yaml(),
        recipe.name,
        content(recipe),
        files,
        data_digest(experiment),
        frozenset(made_by),
        experiment.splits.warnings,
    )


def without_repeats(trials: Sequence[Trial]) -> tuple[list[Trial], list[str]]:
    """The trials without those that train the same as one before, and a notice for each of these."""
    first: dict[str, Trial] = {}
    notices = []
    for trial in trials:
        before = first.setdefault(trial.content, trial)
        if before is not trial:
            notices.append(f"{trial.name} is left out: it trains the same as {before.name}")
    return list(first.values()), notices


def _told(error: InputError) -> list[tuple[str, str]]:
    """What is wrong, as pairs of a key and a message."""
    if not error.problems:
        return [("", error.title)]
    return [
        (p.what, p.message if p.where in ("", "command line") else f"{p.message} ({p.where})") for p in error.problems
    ]


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
