"""One execution of a recipe: every seed trained, in a run folder that can be resumed whatever stopped it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, NoReturn

from ercframe.build import Experiment
from ercframe.crew import Crew, threads_of_each
from ercframe.data.intake import Inputs, write_inputs
from ercframe.errors import InputError, RunError
from ercframe.following import require_same_everywhere
from ercframe.ledger import Ledger, Reporter
from ercframe.lock import locked
from ercframe.preflight import Preflight, preflight
from ercframe.ranks import ALONE, Ranks
from ercframe.reopening import reopened
from ercframe.resumption import described, differences
from ercframe.runs import RunFolder
from ercframe.seed_run import Order, Replay, SeedRun, train_seed
from ercframe.signals import Signals, Terminated
from ercframe.stopped import explained, resume_command
from ercframe.training.anomaly import AnomalyStep
from ercframe.training.device import deterministic, threads
from ercframe.training.heap import keep_freed_memory
from ercframe.training.memory import memory_explained
from ercframe.training.step import Step


def execute(
    experiment: Experiment,
    root: Path,
    reporter: Reporter,
    make_step: type[Step] = Step,
    ranks: Ranks = ALONE,
    jobs: int = 1,
) -> tuple[RunFolder, dict[str, Any]]:
    """Run a recipe: probe it, train every seed, write the run folder, return it with the summary.

    Ctrl-C ends the seeds at hand with the epochs they have and leaves the other seeds out; the summary then says
    ``"status": "interrupted"``. SIGTERM saves the state and ends at once: ``"preempted"``. Whatever else stops a run,
    the summary says ``"failed"`` and holds the finished seeds.

    Of several ranks this is the first; the others :func:`~ercframe.following.follow`.

    Args:
        experiment: what to train.
        root: where run folders go.
        reporter: watches.
        make_step: what takes the steps.
        ranks: train each seed together.
        jobs: so many seeds train at a time, each in a process of its own that reads the experiment from the run folder.

    Raises:
        InputError: the probe found a fault, or the run folder cannot be made.
        RunError: training diverged, or a file could not be read or written.
    """
    recipe = experiment.loaded.recipe
    _require_jobs(jobs, whole_seeds=make_step is Step and ranks.alone)
    with deterministic(recipe.trainer.deterministic):
        with memory_explained(recipe):
            found = preflight(experiment, ranks)
        require_same_everywhere(experiment, ranks)
        folder = RunFolder.create(root, recipe.name)
        with locked(folder.path) as lock:
            return folder, _Run(experiment, folder, found, reporter, make_step, ranks, jobs, lock).begin()


def resume(path: Path, reporter: Reporter, ranks: Ranks = ALONE, jobs: int = 1) -> tuple[RunFolder, dict[str, Any]]:
    """Go on with a run that was stopped, to the same end as if it had not been; a finished one is left as it is.

    Of several ranks this is the first; the others :func:`~ercframe.following.follow_resumed`. ``jobs`` may be another
    number than before.

    Raises:
        InputError: there is no run in ``path``, another process is at it, or it can no longer be the same run.
        RunError: training diverged, or a file could not be read or written.
    """
    folder = RunFolder.open(path)
    _require_jobs(jobs, whole_seeds=ranks.alone)
    with locked(folder.path) as lock:
        with suppress(FileNotFoundError):  # killed before the first summary
            summary = folder.read_summary()
            if summary["status"] == "finished":
                reporter.notice("This run is finished; there is nothing to resume.")
                ranks.told(False)
                return folder, summary
        ranks.told(True)
        with reopened(folder, reporter.notice, ranks) as (experiment, found):
            return folder, _Run(experiment, folder, found, reporter, Step, ranks, jobs, lock).go_on()


def replay(path: Path, reporter: Reporter) -> NoReturn:
    """Repeat the end of a run whose loss diverged, and find the operation where it began.

    Raises:
        DivergedError: it was found; the error names it.
        InputError: no loss of this run diverged, or it can no longer be the same run.
        RunError: it did not diverge again.
    """
    folder = RunFolder.open(path)
    with locked(folder.path), reopened(folder, reporter.notice, as_many=False) as (experiment, found):
        _Run(experiment, folder, found, reporter, AnomalyStep).repeat_divergence()


def _require_jobs(jobs: int, whole_seeds: bool) -> None:
    if jobs < 1 or (jobs > 1 and not whole_seeds):
        must = "at least 1" if jobs < 1 else "1 where ranks share a seed, or steps are looked at"
        raise InputError(f"jobs must be {must} (got {jobs})")


class _Run:
    """A run in a folder that is locked."""

    def __init__(
        self,
        experiment: Experiment,
        folder: RunFolder,
        found: Preflight,
        reporter: Reporter,
        make_step: type[Step] = Step,
        ranks: Ranks = ALONE,
        jobs: int = 1,
        lock: int | None = None,
    ) -> None:
        self.experiment, self.folder, self.found, self.reporter = experiment, folder, found, reporter
        self.make_step, self.ranks, self.lock = make_step, ranks, lock
        self.jobs = min(jobs, len(experiment.loaded.recipe.protocol.seed_list()))
        self.ledger = Ledger(experiment, folder, found, reporter)
        self.signals = Signals()

    def begin(self) -> dict[str, Any]:
        recipe = self.experiment.loaded.recipe

        def write() -> None:
            text = recipe.to_yaml(self.folder.copy_plugins(recipe.plugin_files))
            dataset = self.experiment.dataset
            write_inputs(self.folder.path, Inputs(self.experiment.info, dataset.intake(), dataset.provenance()))
            self.folder.write_environment(described(self.folder, text, self.experiment, self.found, self.ranks))
            self.folder.write_recipe(text)

        return self._train(write, resumed=False)

    def go_on(self) -> dict[str, Any]:
        self.ledger.take_up()

        def write() -> None:
            self.folder.remove_parts()
            for notice in differences(self.folder, self.experiment, self.found):
                self.reporter.notice(notice)

        return self._train(write, resumed=True)

    def _train(self, prepare: Callable[[], None], resumed: bool) -> dict[str, Any]:
        status = "finished"
        with self.signals.listening(), self._threads():
            try:
                prepare()
                self.ledger.started(resumed)
                keep_freed_memory()
                with self.found.precision.matmuls(), memory_explained(self.experiment.loaded.recipe):
                    self._train_seeds()
            except KeyboardInterrupt:
                status = "interrupted"
            except Terminated:
                status = "preempted"
            except Exception as error:
                with suppress(OSError):  # a full disk may be what stopped the run
                    self.ledger.end("interrupted" if self.ranks.another_left() else "failed")
                known = self._explained(error)
                if known is error:
                    raise
                raise known from error
            with self.signals.held():
                if self.signals.torn:  # the others may be within a step, where they would not hear
                    self.ranks.leave()
                else:
                    self.ranks.told(Order(status))
                try:
                    return self.ledger.end(status)
                except OSError as error:
                    raise self._explained(error) from error

    def _explained(self, error: Exception) -> Exception:
        return explained(error, self.folder, resume_command(self.folder, self.ranks, self.jobs))

    def _threads(self) -> AbstractContextManager[None]:
        """Those of the seeds' processes here, too, since the run folder keeps how many there were."""
        return nullcontext() if self.jobs == 1 else threads(threads_of_each(self.jobs))

    def _train_seeds(self) -> None:
        left = self.ledger.left()
        if self.jobs > 1:
            Crew(self.folder, self.jobs, self.ledger, self.signals, self.lock).train(left)
            return
        for seed in left:
            self.ledger.seed_started(seed)
            try:
                with nullcontext() if self.ranks.alone else self.signals.held():  # all ranks stop at once, or none
                    train_seed(self._seed_run(SeedRun, seed), self.ledger)
            finally:
                self.ledger.seed_done(seed)

    def repeat_divergence(self) -> NoReturn:
        seeds = self.experiment.loaded.recipe.protocol.seed_list()
        diverged = [seed for seed in seeds if self.folder.seed(seed).read_divergence()]
        if not diverged:
            raise InputError(f"--anomaly needs a run whose loss diverged (that in {self.folder.path} did not)")
        with self.signals.listening(), self.found.precision.matmuls():
            self._seed_run(Replay, diverged[0]).train()
        raise RunError(f"seed {diverged[0]} must have an epoch left to repeat (got a state at its end)")

    def _seed_run(self, kind: type[SeedRun], seed: int) -> SeedRun:
        folder, device = self.folder.seed(seed), self.found.device
        return kind(self.experiment, seed, folder, device, self.signals, self.ledger, self.make_step, self.ranks)
