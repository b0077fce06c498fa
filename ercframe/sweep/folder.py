"""The folder of a sweep: its run folders, what is known of every trial, and the results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ercframe.errors import InputError
from ercframe.files import write_json, write_text
from ercframe.lock import locked
from ercframe.recipes import load
from ercframe.runs import RunFolder
from ercframe.sweep.plan import Trial, content, packages, plugin_digests

FORMAT = 1
"""Version of ``sweep.json``; raised when a key changes its meaning or goes away."""


@dataclass
class Record:
    """What is known of a trial.

    Attributes:
        status: ``waiting``, ``running``, ``finished``, ``failed``, ``pruned``, which is over, too, or ``interrupted``,
            which can be gone on with.
        folder: its run folder, relative to the sweep's; None where there is none yet.
        error: why it failed, or was pruned or interrupted; empty otherwise.
    """

    status: str = "waiting"
    folder: str | None = None
    error: str = ""


class SweepFolder:
    """``OUT/NAME/``: ``sweep.json``, ``results.csv``, ``recipes/``, ``logs/``, and a folder for each trial's runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._alike: dict[tuple[Path, str], bool] = {}

    @classmethod
    def create(cls, path: Path) -> SweepFolder:
        """The folder of a sweep, made where it is not there.

        Raises:
            InputError: it cannot be made, or is something else.
        """
        if path.is_dir() and any(path.iterdir()) and not (path / "sweep.json").is_file():
            raise InputError(f"{path} must be a new folder or that of a sweep (it is neither: it has no sweep.json)")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {path}: {error.strerror}") from error
        return cls(path)

    def read(self) -> dict[str, Any]:
        """What ``sweep.json`` holds; nothing where there is none.

        Raises:
            InputError: it cannot be read.
        """
        path = self.path / "sweep.json"
        if not path.exists():
            return {}
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise ValueError(f"format {found['format']} is not {FORMAT}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} cannot be read: {error}") from None
        return found

    def write(self, found: Mapping[str, Any]) -> None:
        """Keep what is known of the sweep."""
        write_json(self.path / "sweep.json", {"format": FORMAT, **found})

    def recipe(self, trial: Trial) -> Path:
        """The file of a trial's resolved recipe, written where it is not there."""
        path = self.path / "recipes" / f"{trial.run_name}.yaml"
        if not path.is_file() or path.read_text(encoding="utf-8") != trial.recipe:
            write_text(path, trial.recipe)
        return path

    def log(self, trial: Trial) -> Path:
        """Where what a trial prints is kept."""
        path = self.path / "logs" / f"{trial.run_name}.log"
        path.parent.mkdir(exist_ok=True)
        return path

    def run(self, trial: Trial) -> RunFolder | None:
        """The run folder of a trial: one that is finished, or else the newest that can be gone on with."""
        runs = list(self._runs(trial))
        return next((run for run in runs if run_status(run) == "finished"), runs[0] if runs else None)

    def _runs(self, trial: Trial) -> Iterator[RunFolder]:
        """Run folders that hold this trial: its recipe, plugins and data; newest first."""
        for path in sorted((self.path / trial.run_name).glob("*/recipe.yaml"), reverse=True):
            run = RunFolder(path.parent)
            try:
                found = run.read_environment()
                if found["data"] == trial.data and self._same_recipe(run, found["files"], trial):
                    yield run
            except (OSError, ValueError, KeyError):
                continue

    def _same_recipe(self, run: RunFolder, files: Mapping[str, str], trial: Trial) -> bool:
        """Whether a run has a trial's plugins, and a recipe that trains the same as the trial's.

        The recipe may be written otherwise: by a version that knew fewer settings, or with trackers.
        """
        if files == dict(trial.files):
            return True
        key = (run.path, trial.key)
        if key not in self._alike:
            intact = files == run.file_digests() and plugin_digests(files) == plugin_digests(trial.files)
            self._alike[key] = intact and _content(run) == trial.content
        return self._alike[key]


def _content(run: RunFolder) -> str:
    """What the recipe of a run trains, as :attr:`Trial.content`; empty where this version does not take it."""
    try:
        return content(load(run.path / "recipe.yaml", to_train=False).recipe)
    except InputError:
        return ""


def versions(run: RunFolder) -> set[str]:
    """What made a run, as :attr:`Trial.versions`."""
    found = run.read_environment()
    return packages(found["ercframe"], found["components"])


def run_status(run: RunFolder) -> str:
    """What a run's summary says; ``running`` where it has none yet."""
    try:
        return str(run.read_summary()["status"])
    except (OSError, ValueError, KeyError):
        return "running"


def mark_pruned(run: RunFolder) -> None:
    """Have the summary of a run say that it was given up: it calls itself preempted, or finished where that came first.

    A run that has no summary, or that a process of an earlier driver is about to leave, stays as it is.
    """
    with suppress(OSError, ValueError, KeyError, InputError), locked(run.path):
        summary = run.read_summary()
        if summary["status"] != "pruned":
            run.write_summary({**summary, "status": "pruned"})


def as_json(record: Record) -> dict[str, Any]:
    """A record as ``sweep.json`` keeps it."""
    return asdict(record)
