"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice

from ercframe.build import Experiment
from ercframe.errors import RunError
from ercframe.evaluate import score
from ercframe.metrics import Scores
from ercframe.probe import probe_batch
from ercframe.settings import TrainerSettings
from ercframe.tensors import Batch
from ercframe.training.anomaly import OperationError
from ercframe.training.batches import grouped, on_device, steps_in_epoch, training_batches
from ercframe.training.divergence import diverged
from ercframe.training.epoch import Epoch
from ercframe.training.optimizer import learning_rates
from ercframe.training.parallel import ParallelStep
from ercframe.training.schedule import Schedule
from ercframe.training.share import divided, shares
from ercframe.training.state import TrainingState
from ercframe.training.step import Step
from ercframe.training.tally import NotFiniteError

READ_EVERY = 256
"""Batches after which the loss terms are read from the device, which waits for it; and once more after each epoch."""


class Caretaker:
    """Whoever saves states and reports epochs around the steps; it never steers. This one does nothing."""

    def undivided(self) -> AbstractContextManager[None]:
        """A block that no signal breaks into: a step, or the end of an epoch."""
        return nullcontext()

    def batch_done(self) -> None:
        """Called after each step; the state may be saved."""

    def epoch_done(self, epoch: Epoch, is_best: bool) -> None:
        """Called after each epoch is scored; the state may be saved."""


def fit(
    state: TrainingState, experiment: Experiment, caretaker: Caretaker | None = None, make_step: type[Step] = Step
) -> None:
    """Train from ``state`` on, as the recipe says.

    Args:
        state: where to begin; its learner is the last epoch's when this returns.
        experiment: data and settings.
        caretaker: goes along.
        make_step: what takes the steps of a process on its own.

    Raises:
        DivergedError: a loss term is no longer finite.
        RunError: the model puts out NaN.
    """
    settings = experiment.loaded.recipe.trainer
    caretaker = caretaker or Caretaker()
    step = _step(state, experiment, make_step)
    schedule = Schedule.of(experiment)
    while not is_over(state, settings):
        started = time.perf_counter()
        try:
            train_epoch(state, step, schedule, experiment, caretaker)
        except NotFiniteError as error:
            raise diverged(state, experiment, error.batch, error.terms) from error
        except OperationError as error:
            batch = state.tally.batches + error.batch
            raise diverged(state, experiment, batch, error.terms, error.operation) from error
        terms = state.tally.means()
        loss = sum(state.learner.objective.weight(name) * value for name, value in terms.items())
        try:
            dev, test = _scores(state, experiment)
        except RunError as error:
            if state.is_finite():
                raise
            raise diverged(state, experiment, state.tally.batches - 1, ()) from error  # its loss was the last read
        seconds, rates = time.perf_counter() - started, learning_rates(state.optimizer)
        epoch = Epoch(len(state.epochs) + 1, loss, terms, dev, test, seconds, rates)
        with caretaker.undivided():
            caretaker.epoch_done(epoch, state.end_epoch(epoch))


def is_over(state: TrainingState, settings: TrainerSettings) -> bool:
    """Whether there is no epoch left to train, or patience ran out."""
    done = len(state.epochs)
    out_of_patience = settings.patience is not None and done and done - state.choice.number >= settings.patience
    return done >= settings.epochs or bool(out_of_patience)


def train_epoch(
    state: TrainingState, step: Step, schedule: Schedule, experiment: Experiment, caretaker: Caretaker
) -> None:
    """Train on the batches that are left of the epoch at hand.

    Raises:
        NotFiniteError: a loss term was NaN or infinite.
    """
    state.learner.train()
    state.begin_epoch()
    size, steps = experiment.loaded.recipe.trainer.accumulate, steps_in_epoch(experiment)
    left = islice(_batches(state, experiment), state.tally.batches, None)
    for number, batches in enumerate(grouped(left, size), state.tally.batches // size):
        with caretaker.undivided():
            schedule.set_rates(state.optimizer, len(state.epochs) * steps + number, state.epochs)
            for terms in step([on_device(batch, state.device) for batch in batches]):
                state.tally.add(terms)
            if state.average is not None:
                last = number == steps - 1
                state.average.step_done(state.learner, len(state.epochs) + 1, last, step.has_scored(batches))
            if state.tally.waiting >= READ_EVERY:
                state.tally.read()
            caretaker.batch_done()
    state.tally.read()


def _step(state: TrainingState, experiment: Experiment, make_step: type[Step]) -> Step:
    """What takes the steps of a process on its own, or of one of several."""
    clip_norm = experiment.loaded.recipe.trainer.clip_norm
    parts = (state.learner, state.optimizer, state.precision, state.scaler, clip_norm)
    if state.ranks.alone:
        return make_step(*parts)
    step = ParallelStep(*parts, state.ranks)
    some = divided(probe_batch(experiment.splits.train), state.ranks, state.learner.objective.couples_rows)
    step.settle(some.to(state.device))
    return step


def _batches(state: TrainingState, experiment: Experiment) -> Iterator[Batch]:
    """The batches of the epoch at hand, or this rank's shares of them."""
    if state.ranks.alone:
        return training_batches(experiment, state.generator)
    return shares(experiment, state.generator, state.ranks, state.learner.objective.couples_rows)


def _scores(state: TrainingState, experiment: Experiment) -> tuple[Scores | None, Scores | None]:
    recipe, splits = experiment.loaded.recipe, experiment.splits
    arguments = (recipe.trainer.batch_dialogues, state.device, len(experiment.info.labels), state.ranks)
    with state.precision.autocast():
        dev = score(state.scored, splits.dev, *arguments) if splits.dev else None
        test = score(state.scored, splits.test, *arguments) if recipe.protocol.show_gap else None
    return dev, test
