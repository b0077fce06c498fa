"""Driving a sweep: one trial after the other or beside each other, all kept, whatever stops it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from signal import SIGINT
from typing import Any, Protocol

from ercframe.errors import InputError
from ercframe.files import write_text
from ercframe.lock import locked
from ercframe.runs import RunFolder
from ercframe.signals import Signals
from ercframe.sweep.engine import Ending, Engine, Task
from ercframe.sweep.folder import Record, SweepFolder, as_json, mark_pruned, run_status, versions
from ercframe.sweep.plan import Trial
from ercframe.sweep.results import as_csv, scores_of
from ercframe.sweep.trials import Trials

LOOK_AGAIN = 0.1
"""Seconds between two looks at the trials that run, and at whether a signal has arrived."""
PATIENCE = 120.0
"""Seconds to wait for a process of an earlier driver, which saves its state, to let go of its run folder."""


class Watcher(Protocol):
    """What is told of a sweep; it observes and never steers."""

    def reused(self, trial: Trial, others: Sequence[str]) -> None:
        """Told of a trial that was finished before, and of versions that made it and are not the ones here."""

    def started(self, trial: Trial, goes_on: bool) -> None:
        """Told when a trial starts, or goes on where it was."""

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Told when a trial ends, with its row of the results."""


class Sweep:
    """Trials in a folder.

    Signals break into nothing here: they are looked for between two steps, so that no trial that has ended is lost to
    one. Only a second Ctrl-C does not wait for the end of a step.

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
        self._before: list[Mapping[str, Any]] = []
        self._running: dict[str, str] = {}
        """Trials that run, and why they were given up; empty for those that were not."""
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
        with locked(self.folder.path), self._signals.listening(), self._signals.held():
            self._before = self.folder.read().get("trials", [])
            for trial in planned:
                self._add(trial)
            try:
                self._write("running")
                status = self._all(source)
            finally:
                self.engine.close()
            self._write(status)
            self._signals.take()  # what arrived after the last look has nothing left to stop
        return status

    def rows(self) -> list[dict[str, Any]]:
        """Every trial with its status and, where it is finished, its result."""
        return [self._row(name) for name in self.trials]

    def _all(self, source: Trials) -> str:
        try:
            while not (number := self._signals.take()):
                if self.engine.has_room() and (trial := source.next()):
                    self._begin(trial, source)
                elif self._running:
                    self._wait(source)
                else:
                    done = all(record.status in ("finished", "pruned") for record in self.records.values())
                    return "finished" if done else "incomplete"
        except KeyboardInterrupt:
            number = SIGINT
        self._stop(source)
        return "interrupted" if number == SIGINT else "preempted"

    def _wait(self, source: Trials) -> None:
        """Wait until one of the trials that run has ended, or a signal has arrived."""
        while not (self._look(source) or self._signals.waiting):
            time.sleep(LOOK_AGAIN)

    def _look(self, source: Trials) -> bool:
        """Take up a trial that has ended; whether there was one. Where there is none, see which are to be given up."""
        if found := self.engine.ended():
            task, ending = found
            self._end(self.trials[task.name], ending, source)
            return True
        for name, why in self._running.items():
            trial = self.trials[name]
            if not why and (why := source.given_up(trial, self.folder.run(trial))):
                self._running[name] = why
                self.engine.stop(name)
        return False

    def _stop(self, source: Trials) -> None:
        """Let the trials that run save their states; another signal does not wait for that."""
        with suppress(KeyboardInterrupt):
            for name in self._running:
                self.engine.stop(name)
            while self._running and not self._signals.waiting:
                self._wait(source)
        for record in self.records.values():
            if record.status == "running":
                record.status, record.error = "interrupted", "stopped with the sweep"

    def _add(self, trial: Trial) -> None:
        self.trials[trial.name] = trial
        self.records.setdefault(trial.name, Record())

    def _begin(self, trial: Trial, source: Trials) -> None:
        """Start a trial, unless there is nothing to do."""
        self._add(trial)
        run = self.folder.run(trial)
        failed = self._failed_before(trial, run)
        if why := source.given_up(trial, run):
            self._give_up(trial, run, why, source)
            return
        if run is not None and run_status(run) == "finished":
            self._finished(trial, run)
            self.watcher.reused(trial, sorted(versions(run) - trial.versions))
        elif failed is not None and not self.retry_failed:
            self.records[trial.name] = Record("failed", failed["folder"], failed["error"])
        elif run is not None and (holder := self._holder(run)):
            self.records[trial.name] = Record("interrupted", self._relative(run), holder)
        else:
            self._submit(trial, run)
            return
        self._tell(trial, source)

    def _failed_before(self, trial: Trial, run: RunFolder | None) -> Mapping[str, Any] | None:
        """What is known of a trial that failed under an earlier command."""
        folder = self._relative(run) if run else None
        for entry in self._before:
            same = entry["key"] == trial.key or (folder is not None and entry["folder"] == folder)
            if same and entry["status"] == "failed":
                return entry
        return None

    def _submit(self, trial: Trial, run: RunFolder | None) -> None:
        arguments = ["run", str(run.path), "--resume"] if run else ["run", str(self.folder.recipe(trial)), "--out"]
        arguments += [] if run else [str(self.folder.path)]
        threads = (_threads_of(run) if run else None) or self.threads
        self.records[trial.name] = Record("running", self._relative(run) if run else None)
        self.engine.submit(Task(trial.name, tuple(arguments), self.folder.log(trial), threads))
        self._running[trial.name] = ""
        self._write("running")
        self.watcher.started(trial, run is not None)

    def _end(self, trial: Trial, ending: Ending, source: Trials) -> None:
        why = self._running.pop(trial.name)  # first: the engine has forgotten it, and a second Ctrl-C may come
        run = self.folder.run(trial)
        # A trial may have trained on, or ended, before anybody looked at its last epochs: that must change nothing.
        if why := why or source.given_up(trial, run):
            self._give_up(trial, run, why, source)
            return
        if run is not None and run_status(run) == "finished":
            self._finished(trial, run)
        else:
            status = "interrupted" if ending.resumable else "failed"
            self.records[trial.name] = Record(status, self._relative(run) if run else None, ending.told())
        self._tell(trial, source)

    def _give_up(self, trial: Trial, run: RunFolder | None, why: str, source: Trials) -> None:
        """Take down that a trial was pruned; its run folder says so, too, once the source knows it."""
        self.records[trial.name] = Record("pruned", self._relative(run) if run else None, why)
        self._tell(trial, source)
        if run is not None:
            mark_pruned(run)

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

    def _holder(self, run: RunFolder) -> str:
        """Who still has a run folder, after having waited for it; empty where it is free."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with locked(run.path):
                    return ""
            except InputError as error:
                if time.monotonic() > until or self._signals.waiting:
                    return str(error)
            time.sleep(LOOK_AGAIN)

    def _relative(self, run: RunFolder) -> str:
        return str(run.path.relative_to(self.folder.path))


def _threads_of(run: RunFolder) -> int | None:
    """With how many threads a run began: with as many it goes on bit for bit."""
    try:
        return int(run.read_environment()["threads"])
    except (OSError, ValueError, KeyError):
        return None
