"""Telling trackers of a run: none of them can change it, and one that fails is left out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ercframe import __version__
from ercframe.blame import blame
from ercframe.build import Experiment
from ercframe.components import Tracker
from ercframe.errors import InputError
from ercframe.recipes import Slot
from ercframe.recipes.resolved import plain
from ercframe.runs import RunFolder
from ercframe.seed_run import Watcher
from ercframe.summary import selection
from ercframe.tracked_run import TrackedRun
from ercframe.tracked_values import epoch_values, run_values, seed_values
from ercframe.training.epoch import Epoch


class Tracking:
    """Watches a run beside another watcher, and tells the recipe's trackers.

    A tracker that raises, wherever it does, is left out from there on, and the watcher is told so once. Random numbers
    stand after each call where they stood before, so that results do not depend on who observes.

    Args:
        experiment: what is run.
        watcher: told first of everything that a watcher is told.
    """

    def __init__(self, experiment: Experiment, watcher: Watcher) -> None:
        self.experiment, self.watcher = experiment, watcher
        self._labels = experiment.info.labels
        self._trackers: dict[str, Tracker] = {}

    def started(self, folder: RunFolder, parameters: int, resumed: bool) -> None:
        """Make the trackers and tell them what is about to be trained."""
        slots = self.experiment.loaded.recipe.trackers
        if not slots:
            return
        run = _described(self.experiment, folder, parameters, resumed)
        for name, slot in zip(_numbered(slots), slots, strict=True):
            self._guarded(name, lambda name=name, slot=slot: self._start(name, slot, run))  # type: ignore[misc]

    def seed_resumed(self, seed: int, epochs: Sequence[Epoch]) -> None:
        """Tell once more of the epochs that a seed has behind it, so that none is missing."""
        for epoch in epochs:
            self._tell_of(seed, epoch)

    def epoch_done(self, seed: int, epoch: Epoch, is_best: bool) -> None:
        """Tell of an epoch."""
        self.watcher.epoch_done(seed, epoch, is_best)
        self._tell_of(seed, epoch)

    def seed_concluded(self, summary: Mapping[str, Any]) -> None:
        """Tell what a seed came to."""
        self._tell(lambda tracker: tracker.concluded(summary["seed"], seed_values(summary, self._labels)))

    def finished(self, summary: Mapping[str, Any]) -> None:
        """Tell what the run came to, and how it ended."""
        self._tell(lambda tracker: tracker.finished(summary["status"], run_values(summary)))

    def notice(self, text: str) -> None:
        """Pass it on."""
        self.watcher.notice(text)

    def _start(self, name: str, slot: Slot, run: TrackedRun) -> None:
        make: Any = slot.component
        tracker: Tracker = make(slot.config)
        tracker.started(run)
        self._trackers[name] = tracker

    def _tell_of(self, seed: int, epoch: Epoch) -> None:
        self._tell(lambda tracker: tracker.logged(seed, epoch.number, epoch_values(epoch, self._labels)))

    def _tell(self, call: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            self._guarded(name, lambda tracker=tracker: call(tracker))  # type: ignore[misc]

    def _guarded(self, name: str, call: Callable[[], None]) -> None:
        try:
            with _random_numbers_kept():
                call()
        except (Exception, SystemExit) as error:
            self._trackers.pop(name, None)
            cause = str(error) if isinstance(error, InputError) else blame(error)
            self.notice(f"warning: tracker '{name}' failed and is left out from here on; the run goes on. {cause}")


def _described(experiment: Experiment, folder: RunFolder, parameters: int, resumed: bool) -> TrackedRun:
    recipe, info = experiment.loaded.recipe, experiment.info
    facts: dict[str, str | int | float | bool] = {
        "dataset": info.name,
        "generated": info.generated,
        "dev": experiment.splits.dev_origin,
        "test": experiment.splits.test_origin,
        "parameters": parameters,
        "ercframe": __version__,
        "torch": torch.__version__,
    }
    return TrackedRun(
        id=folder.id(),
        name=recipe.name,
        folder=folder.path.resolve(),
        selection=selection(recipe.protocol),
        settings=plain(recipe),
        facts=facts,
        resumed=resumed,
    )


def _numbered(slots: Sequence[Slot]) -> Iterator[str]:
    """The name of each tracker; with a number where the recipe has it several times."""
    names = [slot.name for slot in slots]
    for i, name in enumerate(names):
        times = names[: i + 1].count(name)
        yield name if times == 1 else f"{name} {times}"


@contextmanager
def _random_numbers_kept() -> Iterator[None]:
    """A block after which every generator of random numbers that training may read stands where it stood."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
