"""What a comparison needs of a run folder: its summary, and who was right about which turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ercframe.comparison.newest import run_folder
from ercframe.errors import InputError, Problem
from ercframe.runs import RunFolder
from ercframe.statistics.confusion import confusion_by

# Shape letters: S seeds, N scored turns of test, B dialogues, C emotions.


@dataclass(frozen=True)
class FinishedRun:
    """A run of which at least one seed is trained to its end; other seeds are left out.

    Attributes:
        path: its folder.
        summary: what ``summary.json`` says.
        environment: what ``environment.json`` says.
        recipe: the resolved recipe, as plain values.
        seeds: entries of the finished seeds in the summary.
        turns: dialogue and utterance of each scored turn of test, sorted.
        label: the emotion of each turn, ``(N,)``.
        predicted: what each seed says of it, ``(S, N)``.
    """

    path: Path
    summary: Mapping[str, Any]
    environment: Mapping[str, Any]
    recipe: Mapping[str, Any]
    seeds: tuple[Mapping[str, Any], ...]
    turns: tuple[tuple[str, str], ...]
    label: NDArray[np.intp]
    predicted: NDArray[np.intp]

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
        turns, label, predicted = _predictions(folder, seeds, summary["dataset"]["labels"])
        return cls(folder.path, summary, environment, recipe, seeds, turns, label, predicted)

    @property
    def seed_numbers(self) -> tuple[int, ...]:
        """The finished seeds."""
        return tuple(entry["seed"] for entry in self.seeds)

    @property
    def whole(self) -> bool:
        """Whether all seeds of the run are there."""
        return bool(self.summary["status"] == "finished") and len(self.seeds) == len(self.summary["seeds"])

    def rows(self, seeds: Sequence[int]) -> NDArray[np.intp]:
        """Rows of :attr:`predicted` that belong to these seeds."""
        return np.array([self.seed_numbers.index(seed) for seed in seeds], dtype=np.intp)

    def counts(self) -> NDArray[np.int64]:
        """Confusion counts of each dialogue and seed, ``(B, S, C, C)``; dialogues in the order of their ids."""
        classes = len(self.summary["dataset"]["labels"])
        _, dialogue_N = np.unique([dialogue for dialogue, _ in self.turns], return_inverse=True)
        shape = (int(dialogue_N.max()) + 1, classes)
        return np.stack([confusion_by(dialogue_N, self.label, row, shape) for row in self.predicted], axis=1)


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


def _predictions(
    folder: RunFolder, seeds: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> tuple[tuple[tuple[str, str], ...], NDArray[np.intp], NDArray[np.intp]]:
    """Turns, labels and what each seed predicted, checked against each other and against the summary."""
    number = {name: i for i, name in enumerate(labels)}
    found = []
    for entry in seeds:
        file = folder.seed(entry["seed"])
        rows = file.read_predictions("test")
        try:
            table = sorted(((r["dialogue"], r["utterance"]), number[r["label"]], number[r["prediction"]]) for r in rows)
        except (KeyError, TypeError) as error:
            raise InputError(f"{file.path / 'predictions.jsonl'} cannot be read: {error!r}") from None
        found.append(table)
    first = [row[:2] for row in found[0]]
    for entry, table in zip(seeds, found, strict=True):
        path = folder.seed(entry["seed"]).path / "predictions.jsonl"
        if [row[:2] for row in table] != first:
            raise InputError(f"{path} must have the turns and labels that the other seeds have")
        _require_confusion(path, entry, table)
    turns, label = zip(*first, strict=True)
    predicted = np.array([[row[2] for row in table] for table in found], dtype=np.intp)
    return tuple(turns), np.array(label, dtype=np.intp), predicted


def _require_confusion(path: Path, entry: Mapping[str, Any], table: Sequence[tuple[Any, int, int]]) -> None:
    """Refuse predictions that are not those which the summary scored."""
    scored = np.array(entry["selected"]["test"]["confusion"])
    counts = np.zeros_like(scored)
    for _, label, predicted in table:
        counts[label, predicted] += 1
    if not np.array_equal(counts, scored):
        raise InputError(f"{path} must be what summary.json scores (its confusion is another)")


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


def flattened(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a resolved recipe by their dotted keys; lists are values."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from flattened(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value
