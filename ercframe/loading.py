"""Opening a run folder to use what it trained: the recipe with its plugins, and the weights of the chosen epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError

from ercframe import recipes
from ercframe.build import assemble, build_learner
from ercframe.calibration import fit_temperature, recorded
from ercframe.data.intake import Inputs, read_inputs
from ercframe.errors import InputError
from ercframe.model import Learner
from ercframe.recipes import Loaded
from ercframe.recipes.files import read_chain
from ercframe.runs import RunFolder
from ercframe.seed_choice import ChosenSeed, best_seed
from ercframe.specs import DatasetInfo
from ercframe.training.precision import Precision


class Trained(Protocol):
    """What predicting asks of something trained: a run, or what was exported of one."""

    @property
    def path(self) -> Path:
        """The folder."""

    @property
    def loaded(self) -> Loaded:
        """Its recipe."""

    @property
    def summary(self) -> Mapping[str, Any]:
        """What the run's ``summary.json`` says."""

    def choose_seed(self, asked: int | None = None) -> ChosenSeed:
        """The seed that was asked for, or else the one to take.

        Raises:
            InputError: there is no such seed.
        """

    def every_seed(self) -> tuple[ChosenSeed, ...]:
        """All that have weights, for an ensemble.

        Raises:
            InputError: only one was kept.
        """

    def inputs(self) -> Inputs:
        """What is kept of the data."""

    def learner(self, seed: int, info: DatasetInfo, device: torch.device) -> tuple[Learner, int]:
        """The learner of a seed in evaluation mode, and the epoch its weights are from."""

    def precision(self, device: torch.device) -> Precision:
        """The precision to predict in."""

    def temperature(self, seeds: Sequence[int], labels: Sequence[str]) -> float | None:
        """The temperature that was fitted on dev for the mean of some seeds; None where there is no dev."""


@dataclass(frozen=True)
class TrainedRun:
    """A run folder of which at least one seed was trained; a :class:`Trained`.

    Attributes:
        folder: where it is.
        loaded: its recipe.
        summary: what ``summary.json`` says.
    """

    folder: RunFolder
    loaded: Loaded
    summary: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path, *, trust_plugins: bool = False, plugin_files: Sequence[Path] = ()) -> TrainedRun:
        """Read the recipe and the summary of a run folder.

        Args:
            path: the folder.
            trust_plugins: whether plugin files in the folder may be imported, which runs their code.
            plugin_files: further plugin files, which may.

        Raises:
            InputError: it is no run folder, nothing in it is trained yet, it holds plugin files that nobody trusts, or
                its recipe can no longer be used.
        """
        folder = RunFolder.open(path)
        summary = _summary(folder)
        return cls(folder, load_recipe(path, "run", trust_plugins, plugin_files), summary)

    @property
    def path(self) -> Path:
        """The folder's path."""
        return self.folder.path

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that have weights."""
        return tuple(entry["seed"] for entry in self.summary["seeds"])

    def choose_seed(self, asked: int | None = None) -> ChosenSeed:
        """The seed that was asked for, or else what :func:`~ercframe.seed_choice.best_seed` says.

        Raises:
            InputError: the run has no such seed.
        """
        if asked is not None:
            if asked not in self.seeds:
                have = ", ".join(map(str, self.seeds))
                raise InputError(f"--seed must be one of the run's seeds, {have} (got {asked})")
            return ChosenSeed(asked, "as asked")
        return best_seed(self.summary)

    def every_seed(self) -> tuple[ChosenSeed, ...]:
        """All that have weights."""
        why = "the only one" if len(self.seeds) == 1 else f"one of {len(self.seeds)}"
        return tuple(ChosenSeed(seed, why) for seed in self.seeds)

    def learner(self, seed: int, info: DatasetInfo, device: torch.device) -> tuple[Learner, int]:
        """The learner of a seed with the weights of the epoch that the protocol chose, for predicting.

        Args:
            seed: one of :attr:`seeds`.
            info: what the model was told of the corpus; only shapes matter, the values come from the weights.
            device: where it shall compute.

        Returns:
            The learner in evaluation mode, and the number of the epoch.

        Raises:
            InputError: the weights are missing or damaged, or do not fit the recipe.
        """
        learner = build_learner(self.loaded, info)
        folder = self.folder.seed(seed)
        with reading_weights(folder.checkpoint("best")):
            epoch = folder.load_checkpoint("best", learner)
        return learner.to(device).eval(), epoch

    def inputs(self) -> Inputs:
        """What the run kept of its data; of a run that an earlier version made, what its data says now.

        Raises:
            InputError: a file is damaged, or it kept nothing and the data cannot be opened.
        """
        try:
            return read_inputs(self.folder.path)
        except FileNotFoundError:
            pass
        try:
            experiment = assemble(self.loaded)
        except InputError as error:
            raise InputError(
                f"the run in {self.folder.path} was made by a version of ercframe that kept nothing for predicting, "
                f"and its data cannot be opened: {error.title}",
                error.problems,
            ) from None
        return Inputs(experiment.info, experiment.dataset.intake(), experiment.dataset.provenance())

    def temperature(self, seeds: Sequence[int], labels: Sequence[str]) -> float | None:
        """The temperature fitted on the mean of what some seeds say of dev; None where the run has no dev.

        Raises:
            InputError: the predictions are missing or damaged.
        """
        rows = [self.folder.seed(seed).read_predictions("dev") for seed in seeds]
        if not all(rows):
            return None
        if any([row["utterance"] for row in one] != [row["utterance"] for row in rows[0]] for one in rows):
            raise InputError(f"the seeds of the run in {self.path} must have predicted the same utterances of dev")
        found = [recorded(one, labels) for one in rows]
        return fit_temperature(np.mean([probability_NC for probability_NC, _ in found], axis=0), found[0][1])

    def precision(self, device: torch.device) -> Precision:
        """The precision that it was trained in where this device has it, and else float32."""
        try:
            return Precision.choose(self.folder.read_environment()["precision"], device)
        except (InputError, OSError, KeyError, ValueError):
            return Precision.choose("fp32", device)


def load_recipe(folder: Path, what: str, trust_plugins: bool, plugin_files: Sequence[Path]) -> Loaded:
    """The recipe in a folder, with the plugin files beside it, and without its trackers, which need not be installed.

    Args:
        folder: holds ``recipe.yaml``.
        what: what the folder is, for the error.
        trust_plugins: whether its plugin files may be imported, which runs their code.
        plugin_files: further ones, which may.

    Raises:
        InputError: nobody trusts its plugin files, or the recipe cannot be used.
    """
    recipe = folder / "recipe.yaml"
    files = read_chain(recipe).plugins
    if files and not trust_plugins:
        named = ", ".join(str(file) for file in files)
        raise InputError(
            f"the {what} in {folder} has plugin files, whose code would run: {named}",
            help=f"Read them; if you trust whoever made the {what}, add --trust-plugins.",
        )
    return recipes.load(recipe, plugin_files=plugin_files, to_train=False)


@contextmanager
def reading_weights(path: Path) -> Iterator[None]:
    """A block that loads weights from a file; what goes wrong in it is the file's fault.

    Raises:
        InputError: the file is missing or damaged, or does not fit the recipe.
    """
    try:
        yield
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    except RuntimeError as error:  # what load_state_dict says of names and shapes, a line each
        raise InputError(f"the weights in {path} do not fit the recipe beside them:\n{error}") from None


def _summary(folder: RunFolder) -> Mapping[str, Any]:
    """The summary of a run that has something trained."""
    try:
        summary = folder.read_summary()
        trained = bool(summary["seeds"])
    except FileNotFoundError:
        trained = False
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder.path / 'summary.json'} cannot be read: {error}") from None
    if not trained:
        raise InputError(
            f"the run in {folder.path} has no trained seed yet", help=f"To go on: ercframe run {folder.path} --resume"
        )
    return summary
