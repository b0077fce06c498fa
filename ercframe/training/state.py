"""Everything that changes while a seed is trained, in one object that can be saved and restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ercframe.build import Experiment
from ercframe.metrics import Scores
from ercframe.model import Learner
from ercframe.ranks import ALONE, Ranks
from ercframe.training.average import Average
from ercframe.training.epoch import Choice, Epoch
from ercframe.training.optimizer import make_optimizer
from ercframe.training.precision import Precision
from ercframe.training.tally import Tally


class Stateful(Protocol):
    """What can be saved and restored: a scheduler, a gradient scaler, averaged weights."""

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` needs: dictionaries and lists of tensors, numbers, text, True, False, None."""

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Go on from a saved state."""


class TrainingState:
    """A seed's training between two steps.

    Args:
        learner: on its device.
        optimizer: over its parameters.
        seed: orders the batches and drives the transforms.
        choice: which epoch is the best so far.
        precision: of training and scoring.
        ranks: the processes that train together. What changes is the same on all of them but for random numbers.
        average: of the weights, where there is to be one.

    Attributes:
        epochs: those that were finished.
        best: weights of the best of them, on the learner's device; empty before there is one.
        tally: the epoch at hand: the batches that were trained on, and their loss terms.
        generator: what the batches of the epoch at hand are drawn from, see :meth:`begin_epoch`.
        scaler: scales the loss where ``precision`` needs it, and is saved there.
        extras: what else changes, by name; registered by :meth:`register`.
    """

    def __init__(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        seed: int,
        choice: Choice,
        precision: Precision,
        ranks: Ranks = ALONE,
        average: Average | None = None,
    ) -> None:
        self.learner, self.optimizer, self.choice, self.precision = learner, optimizer, choice, precision
        self.ranks, self.average = ranks, average
        self.epochs: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        self.tally = Tally()
        self.generator = torch.Generator().manual_seed(seed)
        self.extras: dict[str, Stateful] = {}
        self._epoch_began = self.generator.get_state()
        self.scaler = precision.scaler()
        if self.scaler.is_enabled():
            self.register("scaler", self.scaler)
        if average is not None:
            self.register("average", average)

    @property
    def device(self) -> torch.device:
        """Where the learner is."""
        return next(self.learner.parameters()).device

    @property
    def scored(self) -> Learner:
        """What is scored, chosen by and kept: averaged weights once there are any, else those in training."""
        return self.average.learner if self.average and self.average.count else self.learner

    def register(self, name: str, thing: Stateful) -> None:
        """Save and restore ``thing`` with the rest.

        Raises:
            ValueError: the name is taken.
        """
        if name in self.extras:
            raise ValueError(f"'{name}' is registered already")
        self.extras[name] = thing

    def begin_epoch(self) -> None:
        """Set the generator to where it stood when the epoch at hand began: its batches come again in their order.

        So what is saved does not depend on how many batches were drawn ahead of those that were trained on.
        """
        self.generator.set_state(self._epoch_began)

    def end_epoch(self, epoch: Epoch) -> bool:
        """Take what is known of the epoch at hand; whether it is the best so far. The next one is now at hand."""
        self.epochs.append(epoch)
        self.tally = Tally()
        self._epoch_began = self.generator.get_state()
        is_best = self.choice.take(epoch)
        if is_best:
            self.best = {name: x.detach().clone() for name, x in self.scored.state_dict().items()}
        return is_best

    def is_finite(self) -> bool:
        """Whether every parameter is a number; waits for the device."""
        return all(bool(torch.isfinite(p).all()) for p in self.learner.parameters())

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers and text from which :meth:`load_state_dict` goes on bit for bit.

        Every rank must ask for it, since each has random numbers of its own; the result is the same on all.

        Raises:
            NotFiniteError: a loss term of the epoch at hand was NaN or infinite.
        """
        progress = {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "tally": self.tally.state_dict(),
            "epoch_began": self._epoch_began,
            "random": self.ranks.gather(random_state(self.device)),
        }
        return {
            "progress": progress,
            "learner": self.learner.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "extras": {name: thing.state_dict() for name, thing in self.extras.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same recipe and seed, on as many ranks and devices of the same type.

        Raises:
            ValueError: the state has other extras than this one.
        """
        if set(state["extras"]) != set(self.extras):
            raise ValueError(f"the state holds {sorted(state['extras'])}; there are {sorted(self.extras)} to restore")
        self.learner.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = {name: x.to(self.device, copy=True) for name, x in state["best"].items()}
        for name, thing in self.extras.items():
            thing.load_state_dict(state["extras"][name])
        self._load_progress(state["progress"])

    def _load_progress(self, progress: Mapping[str, Any]) -> None:
        self.epochs, self.choice = [], Choice(self.choice.split, self.choice.monitor)
        for found in progress["epochs"]:
            self.epochs.append(_epoch(found))
            self.choice.take(self.epochs[-1])
        self.tally.load_state_dict(progress["tally"])
        self._epoch_began = progress["epoch_began"]
        restore_random_state(progress["random"][self.ranks.rank], self.device)


def new_state(experiment: Experiment, seed: int, device: torch.device, ranks: Ranks = ALONE) -> TrainingState:
    """The state before the first step of a seed: a learner initialised from it, an optimizer, nothing trained.

    All ranks begin with the same weights, and each with random numbers of its own, the first with those of a process
    on its own.
    """
    recipe = experiment.loaded.recipe
    learner = new_learner(experiment, seed, device)
    if not ranks.is_first:
        (own,) = np.random.SeedSequence([seed, ranks.rank]).generate_state(1, np.uint64)
        torch.manual_seed(int(own))
    choice = Choice("test" if recipe.protocol.name == "paper" else "dev", recipe.protocol.monitor)
    precision = Precision.choose(recipe.trainer.precision, device).suited_to(learner.model)
    average = Average(recipe.trainer.average, learner) if recipe.trainer.average else None
    optimizer = make_optimizer(recipe.trainer.optimizer, learner)
    return TrainingState(learner, optimizer, seed, choice, precision, ranks, average)


def new_learner(experiment: Experiment, seed: int, device: torch.device) -> Learner:
    """A learner initialised from ``seed``, on the host so that every device starts from the same weights."""
    torch.manual_seed(seed)
    return experiment.learner().to(device)


def random_state(device: torch.device) -> dict[str, Any]:
    """PyTorch's own random numbers, which drive dropout."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Go on from :func:`random_state`."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def _epoch(found: Mapping[str, Any]) -> Epoch:
    return Epoch(**{**found, "dev": _scores(found["dev"]), "test": _scores(found["test"])})


def _scores(found: Mapping[str, Any] | None) -> Scores | None:
    if found is None:
        return None
    confusion = tuple(tuple(row) for row in found["confusion"])
    return Scores(**{**found, "f1": tuple(found["f1"]), "confusion": confusion})
