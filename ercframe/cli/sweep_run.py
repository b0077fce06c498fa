"""What the commands that train many runs share: planning and driving them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from ercframe import __version__
from ercframe.cli.sweep_outcome import conclude
from ercframe.errors import InputError
from ercframe.extras import require
from ercframe.report.crossval_files import forget_crossval
from ercframe.report.sweep_table import why
from ercframe.report.table import SHORT, percent
from ercframe.signals import INTERRUPTED, PREEMPTED
from ercframe.sweep.ablations import ablations
from ercframe.sweep.crossval import folds
from ercframe.sweep.drive import Sweep
from ercframe.sweep.engine import Engine, processors
from ercframe.sweep.folder import SweepFolder
from ercframe.sweep.grid import grid
from ercframe.sweep.local import LocalEngine
from ercframe.sweep.plan import Changes, Source, Trial, plan, without_repeats
from ercframe.sweep.search import Search, require_dev_objective
from ercframe.sweep.space import read_space
from ercframe.sweep.trials import Listed, Trials
from ercframe.wording import counted

EXIT_CODES = {"finished": 0, "incomplete": 1, "preempted": PREEMPTED, "interrupted": INTERRUPTED}


class ConsoleWatcher:
    """Prints a line when a trial starts and when it ends."""

    def __init__(self, total: int) -> None:
        self.total, self.count = total, 0

    def reused(self, trial: Trial, others: Sequence[str]) -> None:
        """Say that there is nothing to do, and what made it where that is not what is here."""
        made = f", by {', '.join(others)}, which is not the version here" if others else ""
        typer.echo(f"{trial.name}: was finished before{made}")

    def started(self, trial: Trial, goes_on: bool) -> None:
        """Say what starts."""
        typer.echo(f"{trial.name}: {'goes on' if goes_on else 'starts'}")

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Say how it ended, and how many have."""
        self.count += 1
        typer.echo(f"[{self.count}/{self.total}] {trial.name}: {row['status']}{_scored(row)}")


@dataclass(frozen=True)
class How:
    """On what to train, and whether to try again what failed."""

    jobs: int | None = None
    retry_failed: bool = False
    engine: str = "local"
    cpus: int = 1
    gpus: float = 0.0
    ray_address: str | None = None

    def require_engine(self) -> None:
        """Refuse an engine that is not installed, before a sweep gets a folder."""
        if self.engine == "ray":
            require("ray", "ray", "--engine ray")

    def make(self) -> tuple[Engine, int | None]:
        """The engine, and how many threads a trial has; None for PyTorch's own choice."""
        if self.engine == "ray":
            from ercframe.sweep.on_ray import RayEngine

            return RayEngine(self.ray_address, self.cpus, self.gpus, self.jobs), self.cpus
        jobs = self.jobs or 1
        return LocalEngine(jobs), None if jobs == 1 else max(1, processors() // jobs)


def ablate(source: Source, only: Sequence[str], out: Path, name: str | None, how: How) -> int:
    """Train a recipe and its ablations and compare them; the exit code."""
    loaded = source.load({})
    _say(loaded.notices)
    settings, notices = ablations(source, only)
    _say(notices)
    trials = _planned(source, settings)
    how.require_engine()
    folder = SweepFolder.create(out / (name or f"{loaded.recipe.name}-ablations"))
    return _train(folder, trials, {"kind": "ablation", "recipe": loaded.recipe.name, "source": source.as_json()}, how)


def sweep(source: Source, axes: Sequence[str], out: Path, name: str | None, how: How) -> int:
    """Train every combination of a grid; the exit code."""
    settings = grid(axes)
    loaded = source.load({})
    _say(loaded.notices)
    trials = _planned(source, settings)
    how.require_engine()
    folder = SweepFolder.create(out / (name or f"{loaded.recipe.name}-sweep"))
    return _train(folder, trials, {"kind": "grid", "recipe": loaded.recipe.name, "source": source.as_json()}, how)


def crossval(source: Source, next_is_dev: bool, out: Path, name: str | None, how: How) -> int:
    """Train a recipe once for every group of its corpus, which is test there; the exit code."""
    loaded = source.load({})
    _say(loaded.notices)
    trials = _planned(source, folds(source, next_is_dev))
    how.require_engine()
    folder = SweepFolder.create(out / (name or f"{loaded.recipe.name}-crossval"))
    return _train(folder, trials, {"kind": "crossval", "recipe": loaded.recipe.name, "source": source.as_json()}, how)


def search(
    source: Source,
    space: Path,
    trials: int,
    objective: str,
    seed: int,
    out: Path,
    name: str | None,
    how: How,
    prune_after: int | None = None,
) -> int:
    """Train the settings that Optuna proposes; the exit code."""
    score = require_dev_objective(objective, source)
    parameters = read_space(space, source)
    loaded = source.load({})
    _say(loaded.notices)
    how.require_engine()
    folder = SweepFolder.create(out / (name or f"{loaded.recipe.name}-search"))
    about = {
        "kind": "search",
        "recipe": loaded.recipe.name,
        "source": source.as_json(),
        "space": str(space),
        "search": {"trials": trials, "objective": objective, "seed": seed, "prune_after": prune_after},
    }
    require("optuna", "optuna", "--search")
    if not folder.read():  # a process that is killed from now on leaves the folder of a sweep
        folder.write({**about, "status": "waiting", "trials": []})
    proposed = Search(source, parameters, folder.path, trials, score, seed, lambda text: _say([text]), prune_after)
    return _train(folder, [], about, how, proposed, trials)


def resume(path: Path, how: How) -> int:
    """Go on with the sweep in a folder, as it was begun; the exit code.

    Raises:
        InputError: there is none, or its trials would no longer be the same.
    """
    folder = SweepFolder(path)
    found = folder.read()
    if not found:
        raise InputError(f"--resume needs the folder of a sweep ({path} has no sweep.json)")
    source = Source.of_json(found["source"])
    if found["kind"] == "search":
        return search(source, Path(found["space"]), **found["search"], out=path.parent, name=path.name, how=how)
    trials = plan(source, {entry["name"]: entry["changes"] for entry in found["trials"]})
    # What another version of ercframe began has other keys, but is known by its run folders.
    changed = [
        trial.name
        for trial, entry in zip(trials, found["trials"], strict=True)
        if trial.key != entry["key"]
        and (entry["folder"] or found.get("ercframe") == __version__)
        and folder.run(trial) is None
    ]
    if changed:
        raise InputError(
            f"the sweep in {path} cannot be gone on with: the recipe, a plugin or the data of {len(changed)} of its "
            f"{counted(len(trials), 'trial')} changed, such as {changed[0]}",
            help="Put back what was changed, or begin it again with the command that began it.",
        )
    return _train(folder, trials, {key: found[key] for key in ("kind", "recipe", "source")}, how)


def _planned(source: Source, settings: Mapping[str, Changes]) -> list[Trial]:
    trials, repeats = without_repeats(plan(source, settings))
    _say(repeats)
    told = dict[str, list[str]]()
    for trial in trials:
        for warning in trial.warnings:
            told.setdefault(warning, []).append(trial.name)
    _say([f"warning: {', '.join(names)}: {warning}" for warning, names in told.items()])
    return trials


def _train(
    folder: SweepFolder,
    trials: Sequence[Trial],
    about: Mapping[str, Any],
    how: How,
    source: Trials | None = None,
    count: int = 0,
) -> int:
    engine, threads = how.make()
    about = {**about, "ercframe": __version__}
    forget_crossval(folder.path)  # until it is known that it still holds
    trainer = Sweep(folder, engine, about, ConsoleWatcher(count or len(trials)), threads, how.retry_failed)
    status = trainer.run(source or Listed(trials), trials)
    conclude(folder, about, trainer.rows())
    return EXIT_CODES[status]


def _scored(row: Mapping[str, Any]) -> str:
    if not row["result"]:
        return why(row)
    scores, monitor = row["result"]["scores"], row["result"]["monitor"]
    shown = (f"{split} {SHORT[monitor]} {percent(scores[split][monitor]['mean'])}" for split in scores)
    return f", {', '.join(shown)}"


def _say(notices: Sequence[str]) -> None:
    for notice in notices:
        typer.echo(notice, err=True)
