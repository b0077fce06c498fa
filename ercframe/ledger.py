"""What is known of a run's seeds: kept in the run folder, and told to whoever watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from ercframe.build import Experiment
from ercframe.preflight import Preflight
from ercframe.runs import RunFolder
from ercframe.seed_run import Watcher
from ercframe.summary import summarise
from ercframe.tracking import Tracking
from ercframe.training.epoch import Epoch


class Reporter(Watcher, Protocol):
    """Whoever wants to watch a run; it observes and never steers. Several seeds may train at a time."""

    def started(self, experiment: Experiment, folder: RunFolder, parameters: int, warnings: list[str]) -> None:
        """Told once, after the probe and before the first epoch."""

    def seed_started(self, seed: int, epochs: int) -> None:
        """Told before each seed."""

    def seed_done(self, seed: int) -> None:
        """Told after the training of each seed, however it ended."""


class Ledger:
    """Takes down what becomes of the seeds, from wherever they train, and tells reporter and trackers.

    Args:
        experiment: what is run.
        folder: of the run; locked.
        found: what the probe found.
        reporter: watches.
    """

    def __init__(self, experiment: Experiment, folder: RunFolder, found: Preflight, reporter: Reporter) -> None:
        self.experiment, self.folder, self.found, self.reporter = experiment, folder, found, reporter
        self._tracking = Tracking(experiment, reporter)
        self._concluded: dict[int, Mapping[str, Any]] = {}

    def take_up(self) -> None:
        """Begin with the seeds that an earlier process finished."""
        with suppress(FileNotFoundError):
            seeds = self.folder.read_summary()["seeds"]
            self._concluded = {entry["seed"]: entry for entry in seeds if entry["finished"]}

    def started(self, resumed: bool) -> None:
        """Tell that the seeds are about to be trained."""
        self.reporter.started(self.experiment, self.folder, self.found.total, list(self.found.warnings))
        self._tracking.started(self.folder, self.found.total, resumed)

    def left(self) -> list[int]:
        """The seeds that are to be trained, in the recipe's order; what others needed to go on is removed."""
        seeds = self.experiment.loaded.recipe.protocol.seed_list()
        for seed in self._concluded:
            self.folder.seed(seed).forget()
        return [seed for seed in seeds if seed not in self._concluded]

    def seed_started(self, seed: int) -> None:
        """Told before each seed."""
        self.reporter.seed_started(seed, self.experiment.loaded.recipe.trainer.epochs)

    def seed_resumed(self, seed: int, epochs: Sequence[Epoch]) -> None:
        """Told of the epochs that a seed has behind it."""
        self._tracking.seed_resumed(seed, epochs)

    def epoch_done(self, seed: int, epoch: Epoch, is_best: bool) -> None:
        """Told after each epoch."""
        self._tracking.epoch_done(seed, epoch, is_best)

    def notice(self, text: str) -> None:
        """Told what the user should know, in a line."""
        self._tracking.notice(text)

    def seed_concluded(self, summary: Mapping[str, Any]) -> None:
        """Keep what a seed came to."""
        self._concluded[summary["seed"]] = summary
        self._tracking.seed_concluded(summary)
        if summary["finished"]:
            self.folder.write_summary(self._summary("running"))
            self.folder.seed(summary["seed"]).forget()  # only now that the summary has the seed

    def seed_done(self, seed: int) -> None:
        """Told after the training of each seed, however it ended."""
        self.reporter.seed_done(seed)

    def end(self, status: str) -> dict[str, Any]:
        """Keep how the run ended; the summary."""
        summary = self._summary(status)
        try:
            self.folder.write_summary(summary)
        except OSError:  # a run without its summary has failed, whatever it came to
            self._tracking.finished({**summary, "status": "failed"})
            raise
        self._tracking.finished(summary)
        return summary

    def _summary(self, status: str) -> dict[str, Any]:
        order = self.experiment.loaded.recipe.protocol.seed_list()
        seeds = [dict(self._concluded[seed]) for seed in order if seed in self._concluded]
        return summarise(self.experiment, seeds, self.found.total, status)
