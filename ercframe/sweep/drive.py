"""Driving a sweep: one trial after the other or beside each other, all kept, whatever stops it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ercframe.errors import InputError
from ercframe.files import write_text
from ercframe.lock import locked
from ercframe.runs import RunFolder
from ercframe.signals import Signals, Terminated
from ercframe.sweep.engine import Ending, Engine, Task
from ercframe.sweep.folder import Record, SweepFolder, as_json, run_status
from ercframe.sweep.plan import Trial
from ercframe.sweep.results import as_csv, scores_of

PATIENCE = 120.0
"""Seconds to wait for a process of an earlier driver, which saves its state, to let go of its run folder."""


class Watcher(Protocol):
    """What is told of a sweep; it observes and never steers."""

    def reused(self, trial: Trial) -> None:
        """Told of a trial that was finished before."""

    def started(self, trial: Trial, goes_on: bool) -> None:
        """Told when a trial starts, or goes on where it was."""

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Told when a trial ends, with its row of the results."""


class Trials(Protocol):
    """Where trials come from."""

    def next(self) -> Trial | None:
        """The next trial; None where there is none until another has ended, or at all."""

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Told how a trial ended."""


class Listed:
    """Trials that are all known before the first one starts."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._left: Iterator[Trial] = iter(trials)

    def next(self) -> Trial | None:
        """The next trial; None after the last."""
        return next(self._left, None)

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Nothing depends on it."""


class Sweep:
    """Trials in a folder.

    Args:
        folder: where everything is kept.
        engine: runs the trials.
        about: what ``sweep.json`` shall say of the sweep beside its trials.
        watcher: told of it.
        threads: of each trial; None for PyTorch's own choice.
        retry_failed: try again what failed before.
    """

    def __init__(
        self,
        folder: SweepFolder,
        engine: Engine,
        about: Mapping[str, Any],
        watcher: Watcher,
        threads: int | None = None,
        retry_failed: bool = False,
    ) -> None:
        self.folder, self.engine, self.about, self.watcher = folder, engine, about, watcher
        self.threads, self.retry_failed = threads, retry_failed
        self.trials: dict[str, Trial] = {}
        self.records: dict[str, Record] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self._before: dict[str, Mapping[str, Any]] = {}
        self._signals = Signals()

    def run(self, source: Trials, planned: Sequence[Trial] = ()) -> str:
        """Run every trial; one that fails stops no other.

        Args:
            source: gives the trials.
            planned: those that are known already, to be shown while they wait.

        Returns:
            ``finished``; ``incomplete`` where a trial failed or was stopped; ``interrupted`` after Ctrl-C;
            ``preempted`` after SIGTERM. After all of them, the same sweep goes on.
        """
        with locked(self.folder.path), self._signals.listening():
            self._before = {entry["key"]: entry for entry in self.folder.read().get("trials", [])}
            for trial in planned:
                self._add(trial)
            try:
                self._write("running")
                self._all(source)
                status = "finished" if all(r.status == "finished" for r in self.records.values()) else "incomplete"
            except KeyboardInterrupt:
                status = self._stop("interrupted", source)
            except Terminated:
                status = self._stop("preempted", source)
            finally:
                self.engine.close()
            with self._signals.held():
                self._write(status)
        return status

    def rows(self) -> list[dict[str, Any]]:
        """Every trial with its status and, where it is finished, its result."""
        return [self._row(name) for name in self.trials]

    def _all(self, source: Trials) -> None:
        running = 0
        while True:
            while self.engine.has_room() and (trial := source.next()):
                running += self._begin(trial, source)
            if not running:
                return
            task, ending = self.engine.wait()
            running -= 1
            with self._signals.held():
                self._end(self.trials[task.name], ending, source)

    def _stop(self, status: str, source: Trials) -> str:
        """Let the trials that run save their states; a second Ctrl-C does not wait."""
        try:
            with self._signals.held():
                for task, ending in self.engine.stop():
                    self._end(self.trials[task.name], ending, source)
        except (KeyboardInterrupt, Terminated):
            pass
        for record in self.records.values():
            if record.status == "running":
                record.status, record.error = "interrupted", "stopped with the sweep"
        return status

    def _add(self, trial: Trial) -> None:
        self.trials[trial.name] = trial
        self.records.setdefault(trial.name, Record())

    def _begin(self, trial: Trial, source: Trials) -> int:
        """Start a trial, unless there is nothing to do; how many were started."""
        self._add(trial)
        run = self.folder.run(trial)
        before = self._before.get(trial.key, {})
        if run is not None and run_status(run) == "finished":
            self._finished(trial, run)
            self.watcher.reused(trial)
        elif before.get("status") == "failed" and not self.retry_failed:
            self.records[trial.name] = Record("failed", before["folder"], before["error"])
        elif run is not None and (holder := _holder(run)):
            self.records[trial.name] = Record("interrupted", self._relative(run), holder)
        else:
            self._submit(trial, run)
            return 1
        with self._signals.held():
            self._tell(trial, source)
        return 0

    def _submit(self, trial: Trial, run: RunFolder | None) -> None:
        arguments = ["run", str(run.path), "--resume"] if run else ["run", str(self.folder.recipe(trial)), "--out"]
        arguments += [] if run else [str(self.folder.path)]
        threads = (_threads_of(run) if run else None) or self.threads
        self.records[trial.name] = Record("running", self._relative(run) if run else None)
        with self._signals.held():
            self.engine.submit(Task(trial.name, tuple(arguments), self.folder.log(trial), threads))
            self._write("running")
        self.watcher.started(trial, run is not None)

    def _end(self, trial: Trial, ending: Ending, source: Trials) -> None:
        run = self.folder.run(trial)
        if run is not None and run_status(run) == "finished":
            self._finished(trial, run)
        else:
            status = "interrupted" if ending.resumable else "failed"
            self.records[trial.name] = Record(status, self._relative(run) if run else None, ending.told())
        self._tell(trial, source)

    def _finished(self, trial: Trial, run: RunFolder) -> None:
        self.records[trial.name] = Record("finished", self._relative(run))
        self.results[trial.name] = scores_of(run)

    def _tell(self, trial: Trial, source: Trials) -> None:
        row = self._row(trial.name)
        source.ended(trial, row)
        self._write("running")
        self.watcher.ended(trial, row)

    def _row(self, name: str) -> dict[str, Any]:
        trial = self.trials[name]
        found = {"name": name, "changes": dict(trial.changes), "key": trial.key, **as_json(self.records[name])}
        return {**found, "result": self.results.get(name)}

    def _write(self, status: str) -> None:
        rows = self.rows()
        self.folder.write({**self.about, "status": status, "trials": rows})
        write_text(self.folder.path / "results.csv", as_csv(rows))

    def _relative(self, run: RunFolder) -> str:
        return str(run.path.relative_to(self.folder.path))


def _holder(run: RunFolder) -> str:
    """Who still has a run folder, after having waited for it; empty where it is free."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with locked(run.path):
                return ""
        except InputError as error:
            if time.monotonic() > until:
                return str(error)
        time.sleep(0.2)


def _threads_of(run: RunFolder) -> int | None:
    """With how many threads a run began: with as many it goes on bit for bit."""
    try:
        return int(run.read_environment()["threads"])
    except (OSError, ValueError, KeyError):
        return None
