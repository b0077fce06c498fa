"""Checks of trackers: any course of a run is accepted, and nothing of the process is changed."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ercframe.components import ComponentConfig, Tracker
from ercframe.signals import SIGNALS
from ercframe.testing.verdicts import require
from ercframe.tracked_run import TrackedRun

SECRET = "8d1f-must-not-be-written-5c22"
LABELS = ("happy", "très heureux", "a/b", "..", "!?", "😀")


class TrackerTrial:
    """A tracker that is told of a made-up run, in a folder of its own."""

    def __init__(self, component: type[Tracker], config: ComponentConfig) -> None:
        self.component, self.config = component, config

    def build(self) -> Any:
        """The tracker."""
        constructor: Any = self.component
        return constructor(self.config)

    @contextmanager
    def run(self) -> Iterator[TrackedRun]:
        """A run whose folder is there for this block, in which it is the current directory, too."""
        settings = {"encoder": {"type": "identity", "widths": [1, 2]}, "trackers": [{"type": self.component.name}]}
        facts: dict[str, str | int | float | bool] = {"dataset": "made up", "generated": True, "parameters": 7}
        with tempfile.TemporaryDirectory() as folder, chdir(folder), _signals_put_back():
            path = Path(folder).resolve() / "runs" / "contract" / "2026-01-31_12-00-00"
            path.mkdir(parents=True)
            yield TrackedRun("0123456789abcdef", "contract", path, "selected on dev", settings, facts, resumed=False)


def a_run_is_followed(trial: TrackerTrial) -> None:
    """A run of two seeds must be followed to its end, whatever its labels are called and also where seeds come mixed.

    Labels are part of the names of metrics, and a corpus may call them what it likes. Seeds may train side by side.
    """
    for turns in ((0, 0, 0, 7, 7, 7), (0, 7, 7, 0, 7, 0)):
        with trial.run() as run:
            tracker = trial.build()
            tracker.started(run)
            for i, seed in enumerate(turns):
                epoch = turns[: i + 1].count(seed)
                tracker.logged(seed, epoch, _metrics(epoch))
                if epoch == turns.count(seed):
                    tracker.concluded(seed, _result(epoch))
            tracker.finished("finished", _over_seeds())


def any_end_is_accepted(trial: TrackerTrial) -> None:
    """A run may end before its first epoch, or within a seed that is never concluded, and without any result.

    Ctrl-C, SIGTERM and faults end runs anywhere; what was told before must not be lost with them.
    """
    for status in ("interrupted", "preempted", "failed"):
        for epochs in (0, 2):
            with trial.run() as run:
                tracker = trial.build()
                tracker.started(run)
                _tell_of_epochs(tracker, 0, epochs)
                tracker.finished(status, {})


def resumed_runs_are_accepted(trial: TrackerTrial) -> None:
    """Another tracker must be able to tell of a run that was stopped, and of its epochs once more.

    A saved state is older than the end of the process, so the epochs after it are trained again.
    """
    with trial.run() as run:
        stopped = trial.build()
        stopped.started(run)
        _tell_of_epochs(stopped, 0, 3)
        stopped.finished("preempted", {})
        tracker = trial.build()
        tracker.started(replace(run, resumed=True))
        _tell_of_epochs(tracker, 0, 4)
        tracker.concluded(0, _result(4))
        tracker.finished("finished", _over_seeds())


def training_is_left_alone(trial: TrackerTrial) -> None:
    """Random numbers, gradients, threads, signals and the current directory must stay, and so must what it is told.

    A run must come to the same result whoever observes it, and go on after Ctrl-C.
    """
    with trial.run() as run:
        tracker, metrics, settings = trial.build(), _metrics(1), deepcopy(run.settings)
        before, kept = _state_of_the_process(), dict(metrics)
        tracker.started(run)
        tracker.logged(0, 1, metrics)
        tracker.concluded(0, _result(1))
        tracker.finished("finished", _over_seeds())
        after = _state_of_the_process()
        require(metrics == kept and run.settings == settings, "what a tracker is told must not be changed")
    changed = [name for name, value in before.items() if after[name] != value]
    require(not changed, f"a tracker must not change the process (it changed {', '.join(changed)})")


def the_environment_is_not_written(trial: TrackerTrial) -> None:
    """No environment variable may be written to a file: passwords and keys are there.

    Run folders are given to other people, and published.
    """
    with trial.run() as run, _set("CONTRACT_API_KEY", SECRET):
        tracker = trial.build()
        tracker.started(run)
        _tell_of_epochs(tracker, 0, 1)
        tracker.concluded(0, _result(1))
        tracker.finished("finished", _over_seeds())
        files = [path for path in Path.cwd().rglob("*") if path.is_file()]
        told = [path.relative_to(Path.cwd()) for path in files if SECRET.encode() in path.read_bytes()]
    require(not told, f"no file may hold an environment variable (it is in {', '.join(map(str, told))})")


def _tell_of_epochs(tracker: Any, seed: int, epochs: int) -> None:
    for epoch in range(1, epochs + 1):
        tracker.logged(seed, epoch, _metrics(epoch))


def _metrics(epoch: int) -> dict[str, float]:
    scores = {f"{split}/f1/{label}": 0.1 * epoch for split in ("dev", "test") for label in LABELS}
    return {
        "loss": 1e-30,
        "terms/task.nll": 1e30,
        "dev/weighted_f1": 0,
        **scores,
        "learning_rate": 1e-4,
        "seconds": 0.5,
    }


def _result(epochs: int) -> dict[str, float]:
    scores = {f"selected/test/f1/{label}": 0.5 for label in LABELS}
    return {
        "total/epochs": epochs,
        "total/seconds": 1.5,
        "selected/epoch": 1,
        "selected/test/weighted_f1": 0.5,
        **scores,
    }


def _over_seeds() -> dict[str, float]:
    return {"selected/test/weighted_f1/mean": 0.5, "selected/test/weighted_f1/std": 0.1}


def _state_of_the_process() -> Mapping[str, object]:
    return {
        "Python's random numbers": random.getstate(),
        "NumPy's random numbers": str(np.random.get_state()),
        "PyTorch's random numbers": torch.get_rng_state().tolist(),
        "whether gradients are computed": torch.is_grad_enabled(),
        "the default dtype": torch.get_default_dtype(),
        "the number of threads": torch.get_num_threads(),
        "what Ctrl-C does": signal.getsignal(signal.SIGINT),
        "what SIGTERM does": signal.getsignal(signal.SIGTERM),
        "the current directory": Path.cwd(),
    }


@contextmanager
def _signals_put_back() -> Iterator[None]:
    """A block after which signals do what they did, so that each check finds what a tracker changes."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextmanager
def _set(variable: str, value: str) -> Iterator[None]:
    os.environ[variable] = value
    try:
        yield
    finally:
        del os.environ[variable]
