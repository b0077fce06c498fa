"""One execution of a recipe: every seed trained, in a run folder that can be resumed whatever stopped it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NoReturn, Protocol

from ercframe import recipes
from ercframe.build import Experiment, assemble
from ercframe.data.intake import Inputs, write_inputs
from ercframe.errors import InputError, RunError
from ercframe.following import require_same_everywhere
from ercframe.lock import locked
from ercframe.preflight import Preflight, preflight
from ercframe.ranks import ALONE, Ranks
from ercframe.resumption import described, differences, require_same_experiment, require_same_files
from ercframe.runs import RunFolder
from ercframe.seed_run import Order, Replay, SeedRun, Watcher
from ercframe.signals import Signals, Terminated
from ercframe.summary import summarise
from ercframe.tracking import Tracking
from ercframe.training.anomaly import AnomalyStep
from ercframe.training.device import deterministic
from ercframe.training.divergence import DivergedError
from ercframe.training.heap import keep_freed_memory
from ercframe.training.memory import memory_explained
from ercframe.training.step import Step


class Reporter(Watcher, Protocol):
    """Whoever wants to watch a run; it observes and never steers."""

    def started(self, experiment: Experiment, folder: RunFolder, parameters: int, warnings: list[str]) -> None:
        """Told once, after the probe and before the first epoch."""

    def seed_started(self, seed: int, epochs: int) -> None:
        """Told before each seed."""

    def seed_done(self, seed: int) -> None:
        """Told after the training of each seed, however it ended."""


def execute(
    experiment: Experiment, root: Path, reporter: Reporter, make_step: type[Step] = Step, ranks: Ranks = ALONE
) -> tuple[RunFolder, dict[str, Any]]:
    """Run a recipe: probe it, train every seed, write the run folder, return it with the summary.

    Ctrl-C ends the seed at hand with the epochs it has and leaves the other seeds out; the summary then says
    ``"status": "interrupted"``. SIGTERM saves the state and ends at once: ``"preempted"``. Whatever else stops a run,
    the summary says ``"failed"`` and holds the finished seeds.

    Of several ranks this is the first; the others :func:`~ercframe.following.follow`.

    Raises:
        InputError: the probe found a fault, or the run folder cannot be made.
        RunError: training diverged, or a file could not be read or written.
    """
    recipe = experiment.loaded.recipe
    with deterministic(recipe.trainer.deterministic):
        with memory_explained(recipe):
            found = preflight(experiment, ranks)
        require_same_everywhere(experiment, ranks)
        folder = RunFolder.create(root, recipe.name)
        with locked(folder.path):
            return folder, _Run(experiment, folder, found, reporter, make_step, ranks).begin()


def resume(path: Path, reporter: Reporter, ranks: Ranks = ALONE) -> tuple[RunFolder, dict[str, Any]]:
    """Go on with a run that was stopped, to the same end as if it had not been; a finished one is left as it is.

    Of several ranks this is the first; the others :func:`~ercframe.following.follow_resumed`.

    Raises:
        InputError: there is no run in ``path``, another process is at it, or it can no longer be the same run.
        RunError: training diverged, or a file could not be read or written.
    """
    folder = RunFolder.open(path)
    with locked(folder.path):
        with suppress(FileNotFoundError):  # killed before the first summary
            summary = folder.read_summary()
            if summary["status"] == "finished":
                reporter.notice("This run is finished; there is nothing to resume.")
                ranks.told(False)
                return folder, summary
        ranks.told(True)
        with _reopened(folder, reporter, ranks=ranks) as run:
            return folder, run.go_on()


def replay(path: Path, reporter: Reporter) -> NoReturn:
    """Repeat the end of a run whose loss diverged, and find the operation where it began.

    Raises:
        DivergedError: it was found; the error names it.
        InputError: no loss of this run diverged, or it can no longer be the same run.
        RunError: it did not diverge again.
    """
    folder = RunFolder.open(path)
    with locked(folder.path), _reopened(folder, reporter, AnomalyStep) as run:
        run.repeat_divergence()


@contextmanager
def _reopened(
    folder: RunFolder, reporter: Reporter, make_step: type[Step] = Step, ranks: Ranks = ALONE
) -> Iterator[_Run]:
    """The run of a folder that is locked, as it began.

    Raises:
        InputError: it can no longer be the same run.
    """
    require_same_files(folder)
    loaded = recipes.load(folder.path / "recipe.yaml")
    for notice in loaded.notices:
        reporter.notice(notice)
    experiment = assemble(loaded)
    with deterministic(loaded.recipe.trainer.deterministic):
        with memory_explained(loaded.recipe):
            found = preflight(experiment, ranks)
        require_same_experiment(folder, experiment, found, None if make_step is AnomalyStep else ranks)
        require_same_everywhere(experiment, ranks)
        yield _Run(experiment, folder, found, reporter, make_step, ranks)


class _Run:
    """A run in a folder that is locked."""

    def __init__(
        self,
        experiment: Experiment,
        folder: RunFolder,
        found: Preflight,
        reporter: Reporter,
        make_step: type[Step],
        ranks: Ranks,
    ) -> None:
        self.experiment, self.folder, self.found, self.reporter = experiment, folder, found, reporter
        self.make_step, self.ranks = make_step, ranks
        self.tracking = Tracking(experiment, reporter)
        self.seeds: list[dict[str, Any]] = []
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
        with suppress(FileNotFoundError):
            self.seeds = [seed for seed in self.folder.read_summary()["seeds"] if seed["finished"]]

        def write() -> None:
            self.folder.remove_parts()
            for notice in differences(self.folder, self.experiment, self.found):
                self.reporter.notice(notice)

        return self._train(write, resumed=True)

    def _train(self, prepare: Callable[[], None], resumed: bool) -> dict[str, Any]:
        status = "finished"
        with self.signals.listening():
            try:
                prepare()
                self.reporter.started(self.experiment, self.folder, self.found.total, list(self.found.warnings))
                self.tracking.started(self.folder, self.found.total, resumed)
                keep_freed_memory()
                with self.found.precision.matmuls(), memory_explained(self.experiment.loaded.recipe):
                    self._train_seeds()
            except KeyboardInterrupt:
                status = "interrupted"
            except Terminated:
                status = "preempted"
            except Exception as error:
                with suppress(OSError):  # a full disk may be what stopped the run
                    self._end("failed")
                if isinstance(error, DivergedError) and not error.operation:
                    raise RunError(
                        f"{error}\nTo find the operation: ercframe run {shlex.quote(str(self.folder.path))} --anomaly"
                    ) from error
                if isinstance(error, OSError):
                    raise self._could_not_go_on(error) from error
                raise
            with self.signals.held():
                if self.signals.torn:  # the others may be within a step, where they would not hear
                    self.ranks.leave()
                else:
                    self.ranks.told(Order(status))
                try:
                    return self._end(status)
                except OSError as error:
                    raise self._could_not_go_on(error) from error

    def _train_seeds(self) -> None:
        recipe = self.experiment.loaded.recipe
        finished = [entry["seed"] for entry in self.seeds]
        for seed in recipe.protocol.seed_list():
            if seed in finished:
                self.folder.seed(seed).forget()
                continue
            self.reporter.seed_started(seed, recipe.trainer.epochs)
            try:
                with nullcontext() if self.ranks.alone else self.signals.held():  # all ranks stop at once, or none
                    self._train_seed(seed)
            finally:
                self.reporter.seed_done(seed)

    def _train_seed(self, seed: int) -> None:
        run = self._seed_run(SeedRun, seed)
        try:
            self.tracking.seed_resumed(seed, run.epochs)
            run.train()
        except KeyboardInterrupt:
            if run.epochs:
                with self.signals.held():  # the epochs are there: they must not be lost for want of a few seconds
                    self._conclude(run, finished=False)
            raise
        with self.signals.held():
            self._conclude(run, finished=True)
            self.folder.write_summary(self._summary("running"))
            run.folder.forget()  # only now that the summary has the seed

    def _conclude(self, run: SeedRun, finished: bool) -> None:
        self.seeds.append(run.conclude(finished))
        self.tracking.seed_concluded(self.seeds[-1])

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
        return kind(self.experiment, seed, folder, device, self.signals, self.tracking, self.make_step, self.ranks)

    def _end(self, status: str) -> dict[str, Any]:
        summary = self._summary(status)
        try:
            self.folder.write_summary(summary)
        except OSError:  # a run without its summary has failed, whatever it came to
            self.tracking.finished({**summary, "status": "failed"})
            raise
        self.tracking.finished(summary)
        return summary

    def _summary(self, status: str) -> dict[str, Any]:
        return summarise(self.experiment, self.seeds, self.found.total, status)

    def _could_not_go_on(self, error: OSError) -> RunError:
        return RunError(
            f"the run in {self.folder.path} could not go on: {error}\n"
            f"To go on later: {resume_command(self.folder, self.ranks)}"
        )


def resume_command(folder: RunFolder, ranks: Ranks = ALONE) -> str:
    """What to type to go on with a run."""
    arguments = f"run {shlex.quote(str(folder.path))} --resume"
    if ranks.local_size < ranks.size:
        return f"torchrun … -m ercframe {arguments}"
    return f"ercframe {arguments}" + ("" if ranks.alone else f" --nproc {ranks.size}")
