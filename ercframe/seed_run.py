"""One seed of a run: trained, saved so that it can go on after whatever stops it, and summed up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ercframe.build import Experiment
from ercframe.data.dialogues import all_labels
from ercframe.errors import RunError
from ercframe.evaluate import record, rows, score
from ercframe.ranks import ALONE, Ranks
from ercframe.runs import SeedFolder
from ercframe.signals import Signals, Terminated
from ercframe.summary import seed_summary
from ercframe.training.divergence import DivergedError
from ercframe.training.epoch import Epoch, best
from ercframe.training.loop import Caretaker, fit
from ercframe.training.state import new_state
from ercframe.training.step import Step
from ercframe.training.tally import NotFiniteError

SHARE_FOR_SAVING = 1 / 20
"""Saving states takes at most this share of the time, however large they are."""


class Watcher(Protocol):
    """What is told of a seed's training."""

    def epoch_done(self, seed: int, epoch: Epoch, is_best: bool) -> None:
        """Told after each epoch."""

    def notice(self, text: str) -> None:
        """Told what the user should know, in a line."""


class SeedWatcher(Watcher, Protocol):
    """What is told of a seed from its beginning to its end."""

    def seed_resumed(self, seed: int, epochs: Sequence[Epoch]) -> None:
        """Told before the training of the epochs that the seed has behind it."""

    def seed_concluded(self, summary: Mapping[str, Any]) -> None:
        """Told what the seed came to; Ctrl-C may have ended it early, as ``finished`` in the summary says."""


@dataclass(frozen=True)
class Order:
    """What the first rank tells the others.

    Attributes:
        status: the run's, as its summary says; ``running`` while there is something to do.
        seed: to train.
        state: the newest state of the seed, to go on from; None to begin it.
    """

    status: str
    seed: int = 0
    state: Mapping[str, Any] | None = None


class SeedRun(Caretaker):
    """The training of one seed in its folder, from where the folder's newest state says.

    Args:
        experiment: what is trained.
        seed: initialises the weights, orders the batches.
        folder: where everything goes.
        device: where to train.
        signals: what may stop it between two steps.
        watcher: told of it.
        make_step: what takes the steps.
        ranks: train along; this is the first of them.
    """

    def __init__(
        self,
        experiment: Experiment,
        seed: int,
        folder: SeedFolder,
        device: torch.device,
        signals: Signals,
        watcher: Watcher,
        make_step: type[Step] = Step,
        ranks: Ranks = ALONE,
    ) -> None:
        self.experiment, self.seed, self.folder = experiment, seed, folder
        self.signals, self.watcher, self.make_step = signals, watcher, make_step
        self.state = new_state(experiment, seed, device, ranks)
        self._saved_at = (0, 0)
        self._due = Due(experiment.loaded.recipe.trainer.checkpoint_seconds)
        self._restore()

    @property
    def epochs(self) -> list[Epoch]:
        """Those that were finished."""
        return self.state.epochs

    def train(self) -> None:
        """Train to the end; a signal that stops it leaves a state from which it goes on.

        Raises:
            RunError: a loss term is no longer finite, which the folder keeps a note of, or the model puts out NaN.
            KeyboardInterrupt: Ctrl-C.
            Terminated: SIGTERM.
        """
        try:
            fit(self.state, self.experiment, self, self.make_step)
        except (KeyboardInterrupt, Terminated):
            with self.signals.held():
                self._save_stopped()
            raise
        except Exception as error:
            with suppress(OSError):  # a full disk may be what stopped it
                self._save_best()
                if isinstance(error, DivergedError):
                    self.folder.write_divergence(error.record())
            raise

    def conclude(self, finished: bool) -> dict[str, Any]:
        """Score and record the chosen epoch's weights, and sum the seed up; needs a finished epoch."""
        with self.state.precision.autocast():
            return self._conclude(finished)

    def _conclude(self, finished: bool) -> dict[str, Any]:
        experiment, state, device = self.experiment, self.state, self.state.device
        recipe, splits, labels = experiment.loaded.recipe, experiment.splits, experiment.info.labels
        size = recipe.trainer.batch_dialogues
        self.folder.save_checkpoint("last", state.scored.state_dict(), len(self.epochs))
        self._save_best()
        state.learner.load_state_dict(state.best)
        chosen = best(self.epochs, state.choice.split, state.choice.monitor)
        if chosen.test is None:
            chosen = replace(chosen, test=score(state.learner, splits.test, size, device, len(labels)))
        predictions: list[dict[str, Any]] = []
        representations: dict[str, Tensor] = {}
        for split, dialogues in (("dev", splits.dev), ("test", splits.test)):
            if dialogues:
                found = record(state.learner, dialogues, size, device)
                predictions += list(rows(found, dialogues, split, labels))
                representations |= {f"{split}.{name}": x for name, x in found.representations.items()}
                rows_kept = len(found.representations["joint"])
                representations[f"{split}.label"] = torch.cat(list(all_labels(dialogues)))[:rows_kept]
        self.folder.write_predictions(predictions)
        self.folder.write_representations(representations)
        self.folder.write_metrics(map(_row, self.epochs))
        return seed_summary(self.seed, self.epochs, chosen, recipe.protocol, finished)

    def undivided(self) -> AbstractContextManager[None]:
        """Hold signals back."""
        return self.signals.held()

    def batch_done(self) -> None:
        """Save the state where it is time, and stop where a rank got a signal: all do so after the same batch."""
        stop, save = self.state.ranks.highest(self.signals.waiting, self._due.now())
        if save:
            self.save()
        if stop:
            self.signals.take_effect(stop)

    def epoch_done(self, epoch: Epoch, is_best: bool) -> None:
        """Add the epoch to the log."""
        self.folder.append_metrics(_row(epoch))
        self.watcher.epoch_done(self.seed, epoch, is_best)

    def save(self) -> bool:
        """Save the state, unless this one is saved; whether it is. A full disk does not stop the training.

        Raises:
            NotFiniteError: a loss term is no longer finite.
        """
        state = self.state.state_dict()  # which all ranks are asking for; what follows is this one's alone
        here = (len(self.epochs), self.state.tally.batches)
        if here == self._saved_at:
            return True
        if not self.state.is_finite():  # the loss of the next batch will tell
            return False
        try:
            self._due.timed(lambda: self.folder.snapshots.save(state))
        except OSError as error:
            self.watcher.notice(
                f"warning: seed {self.seed}: the state could not be saved, the one before is kept: {error}"
            )
            return False
        self._saved_at = here
        return True

    def _save_stopped(self) -> None:
        if self.signals.torn:
            self.watcher.notice(f"seed {self.seed}: stopped within a step, the state saved before is kept")
            return
        with suppress(NotFiniteError):  # then the state before it is the one to go on from
            if self.save() and self._saved_at != (0, 0):
                self.watcher.notice(f"seed {self.seed}: saved after {self._place()}")

    def _save_best(self) -> None:
        if self.state.best:
            self.folder.save_checkpoint("best", self.state.best, self.state.choice.number)

    def _restore(self) -> None:
        snapshots = self.folder.snapshots
        there_were = bool(snapshots)
        found = snapshots.load(self.watcher.notice)
        self.state.ranks.told(Order("running", self.seed, found))
        if found is None and there_were:
            self.watcher.notice(f"seed {self.seed}: begins again")
        if found is not None:
            self.state.load_state_dict(found)
            self._saved_at = (len(self.epochs), self.state.tally.batches)
            self.watcher.notice(f"seed {self.seed}: goes on after {self._place()}")
        self.folder.write_metrics(map(_row, self.epochs))  # what was logged after the state comes again

    def _place(self) -> str:
        done, batches = len(self.epochs), self.state.tally.batches
        return f"batch {batches} of epoch {done + 1}" if batches else f"epoch {done}"


def train_seed(run: SeedRun, watcher: SeedWatcher) -> None:
    """Train a seed from where it is, and sum it up; after Ctrl-C, too, with the epochs that it has.

    Raises:
        RunError, KeyboardInterrupt, Terminated: as :meth:`SeedRun.train`.
    """
    try:
        watcher.seed_resumed(run.seed, run.epochs)
        run.train()
    except KeyboardInterrupt:
        if run.epochs:
            with run.signals.held():  # the epochs are there: they must not be lost for want of a few seconds
                watcher.seed_concluded(run.conclude(finished=False))
        raise
    with run.signals.held():
        watcher.seed_concluded(run.conclude(finished=True))


class Replay(SeedRun):
    """The end of a seed that diverged, once more from its newest state, to see where it began."""

    def epoch_done(self, epoch: Epoch, is_best: bool) -> None:
        """End with the epoch that diverged.

        Raises:
            RunError: it did not diverge this time.
        """
        super().epoch_done(epoch, is_best)
        before = self.folder.read_divergence()
        if before and epoch.number >= before["epoch"]:
            raise RunError(
                f"seed {self.seed}: epoch {before['epoch']} did not diverge again; on a GPU only "
                "trainer.deterministic=true makes a run repeat itself exactly"
            )


class Due:
    """When it is time to save: after so many seconds, and not before saving has become a small share of the time.

    Args:
        seconds: 0 for always.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self._cost = seconds, 0.0
        self._last = time.monotonic()

    def now(self) -> bool:
        """Whether it is time."""
        if not self.seconds:
            return True
        return time.monotonic() - self._last >= max(self.seconds, self._cost / SHARE_FOR_SAVING)

    def timed(self, save: Callable[[], None]) -> None:
        """Save, and wait anew, also after an error."""
        started = time.monotonic()
        try:
            save()
        finally:
            self._last = time.monotonic()
            self._cost = self._last - started


def _row(epoch: Epoch) -> dict[str, Any]:
    scores = {
        split: {**found.headline(), "f1": list(found.f1)}
        for split, found in (("dev", epoch.dev), ("test", epoch.test))
        if found
    }
    row = {"epoch": epoch.number, "loss": epoch.loss, "terms": dict(epoch.terms), **scores}
    return row | {"learning_rates": dict(epoch.learning_rates), "seconds": round(epoch.seconds, 3)}
