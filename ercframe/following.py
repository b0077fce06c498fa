"""What all ranks but the first do of a run: they train along, as it tells them, and write nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from pathlib import Path

import torch

import ercframe
from ercframe import recipes
from ercframe.build import Experiment, assemble
from ercframe.errors import InputError
from ercframe.preflight import preflight
from ercframe.ranks import Ranks
from ercframe.resumption import data_digest, require_same_experiment, require_same_files
from ercframe.runs import RunFolder
from ercframe.seed_run import Order
from ercframe.signals import Signals, Terminated
from ercframe.training.device import deterministic
from ercframe.training.heap import keep_freed_memory
from ercframe.training.loop import Caretaker, fit
from ercframe.training.memory import memory_explained
from ercframe.training.state import TrainingState, new_state
from ercframe.training.tally import NotFiniteError


def follow(experiment: Experiment, ranks: Ranks, folder: RunFolder | None = None) -> str:
    """Train along with the first rank, which executes or resumes the run, until it says how it ended.

    Args:
        experiment: the same as the first rank's.
        ranks: this is not the first.
        folder: of a run that is resumed.

    Raises:
        InputError: this rank cannot train the experiment, or has another one.
        RunError: training diverged, or memory was full.
    """
    recipe = experiment.loaded.recipe
    with deterministic(recipe.trainer.deterministic), memory_explained(recipe):
        found = preflight(experiment, ranks)
        if folder:
            require_same_experiment(folder, experiment, found, ranks)
        require_same_everywhere(experiment, ranks)
        keep_freed_memory()
        signals, order = Signals(), Order("running")
        stopped = suppress(KeyboardInterrupt, Terminated)  # of which the first rank knows, or which come too late
        with signals.listening(), stopped, signals.held(), found.precision.matmuls():
            while (order := ranks.told(Order("running"))).status == "running":
                state = new_state(experiment, order.seed, found.device, ranks)
                if order.state:
                    state.load_state_dict(order.state)
                _Follower(state, experiment, signals).train()
        if signals.torn:
            ranks.leave()
        return "interrupted" if order.status == "running" else order.status


def follow_resumed(path: Path, ranks: Ranks) -> str:
    """As :func:`follow`, of a run folder that all ranks see.

    Raises:
        InputError: as :func:`follow`; or this rank finds no run in ``path``.
        RunError: as :func:`follow`.
    """
    if not ranks.told(False):
        return "finished"
    folder = RunFolder.open(path)
    require_same_files(folder)
    return follow(assemble(recipes.load(folder.path / "recipe.yaml")), ranks, folder)


def require_same_everywhere(experiment: Experiment, ranks: Ranks) -> None:
    """Refuse ranks that would not train the same; every one must ask.

    Raises:
        InputError: the recipe, the data or a version is another one than the first rank's.
    """
    named = {
        "recipe": experiment.loaded.recipe.to_yaml([]),
        "data": data_digest(experiment),
        "version of ercframe": ercframe.__version__,
        "version of PyTorch": torch.__version__,
    }
    first, *others = ranks.gather(named)
    for rank, other in enumerate(others, 1):
        for what, value in first.items():
            if other[what] != value:
                raise InputError(f"all processes must have the same {what} (rank {rank} has another one than rank 0)")


class _Follower(Caretaker):
    """The training of one seed on this rank; it stops and hands over its random numbers where the first rank says."""

    def __init__(self, state: TrainingState, experiment: Experiment, signals: Signals) -> None:
        self.state, self.experiment, self.signals = state, experiment, signals

    def train(self) -> None:
        try:
            fit(self.state, self.experiment, self)
        except (KeyboardInterrupt, Terminated):
            if self.signals.torn:
                raise
            with suppress(NotFiniteError):
                self.state.state_dict()  # the first rank saves it

    def undivided(self) -> AbstractContextManager[None]:
        return self.signals.held()

    def batch_done(self) -> None:
        stop, save = self.state.ranks.highest(self.signals.waiting, False)
        if save:
            self.state.state_dict()
        if stop:
            self.signals.take_effect(stop)
