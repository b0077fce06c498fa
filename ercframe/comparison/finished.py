"""What a comparison needs of a run folder: its summary, and who was right about which turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ercframe.comparison.newest import run_folder
from ercframe.errors import InputError, Problem
from ercframe.runs import RunFolder
from ercframe.scored_turns import ScoredTurns

# Shape letters: C emotions.


@dataclass(frozen=True)
class FinishedRun:
    """A run of which at least one seed is trained to its end; other seeds are left out.

    Attributes:
        path: its folder.
        summary: what ``summary.json`` says.
        environment: what ``environment.json`` says.
        recipe: the resolved recipe, as plain values.
        seeds: entries of the finished seeds in the summary.
        test: the scored turns of test, sorted by dialogue and utterance, and what each of these seeds predicts.
    """

    path: Path
    summary: Mapping[str, Any]
    environment: Mapping[str, Any]
    recipe: Mapping[str, Any]
    seeds: tuple[Mapping[str, Any], ...]
    test: ScoredTurns

    @classmethod
    def open(cls, path: Path) -> FinishedRun:
        """Read a run folder.

        Args:
            path: the folder, or one that holds run folders, of which the newest finished one is taken.

        Raises:
            InputError: it is none, no seed is finished, or its files are damaged or contradict each other.
        """
        folder = RunFolder.open(run_folder(path))
        summary = _read(folder.path / "summary.json", folder.read_summary)
        seeds = tuple(entry for entry in summary["seeds"] if entry.get("finished", True))
        if not seeds:
            raise InputError(
                f"the run in {folder.path} has no finished seed (it is {summary['status']})",
                help=f"To go on with it: ercframe run {folder.path} --resume",
            )
        environment = _read(folder.path / "environment.json", folder.read_environment)
        recipe = _read(folder.path / "recipe.yaml", lambda: _plain_yaml(folder.path / "recipe.yaml"))
        return cls(folder.path, summary, environment, recipe, seeds, _test(folder, seeds, summary["dataset"]["labels"]))

    @property
    def seed_numbers(self) -> tuple[int, ...]:
        """The finished seeds."""
        return tuple(entry["seed"] for entry in self.seeds)

    @property
    def whole(self) -> bool:
        """Whether all seeds of the run are there."""
        return bool(self.summary["status"] == "finished") and len(self.seeds) == len(self.summary["seeds"])

    def rows(self, seeds: Sequence[int]) -> NDArray[np.intp]:
        """Places of these seeds in :attr:`test`."""
        return np.array([self.seed_numbers.index(seed) for seed in seeds], dtype=np.intp)


def open_runs(paths: Sequence[Path]) -> list[FinishedRun]:
    """Open several runs, each as :meth:`FinishedRun.open` does.

    Raises:
        InputError: what is wrong with any of them, all at once.
    """
    runs, problems = [], []
    for path in paths:
        try:
            runs.append(FinishedRun.open(path))
        except InputError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise InputError(f"{len(problems)} runs cannot be read", [Problem("", "", error.title) for error in problems])
    return runs


def _test(folder: RunFolder, seeds: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> ScoredTurns:
    """What the seeds predicted, checked against the summary."""
    rows = {entry["seed"]: folder.seed(entry["seed"]).read_predictions("test") for entry in seeds}
    try:
        found = ScoredTurns.of(rows, labels).by_id()
    except (TypeError, ValueError) as error:
        raise InputError(f"the predictions in {folder.path} cannot be used: {error}") from None
    for entry, confusion_CC in zip(seeds, found.counts.sum(axis=0), strict=True):
        if not np.array_equal(confusion_CC, entry["selected"]["test"]["confusion"]):
            path = folder.seed(entry["seed"]).path / "predictions.jsonl"
            raise InputError(f"{path} must be what summary.json scores (its confusion is another)")
    return found


def _read(path: Path, read: Any) -> Any:
    try:
        found = read()
        assert isinstance(found, Mapping)
        return found
    except FileNotFoundError:
        raise InputError(f"{path} is not there: nothing of the run is finished yet") from None
    except (OSError, ValueError, AssertionError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {error or 'it holds no mapping'}") from None


def _plain_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
