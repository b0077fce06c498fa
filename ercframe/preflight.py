"""All that can be found wrong with an experiment without training it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ercframe.build import Experiment
from ercframe.errors import InputError, Problem
from ercframe.model import Learner
from ercframe.probe import probe, probe_batch, require_counts
from ercframe.ranks import ALONE, Ranks
from ercframe.training.device import choose_device
from ercframe.training.parallel import require_divisible
from ercframe.training.parameter_groups import group_problems
from ercframe.training.precision import Precision
from ercframe.training.schedule import Schedule
from ercframe.training.state import new_learner


@dataclass(frozen=True)
class Preflight:
    """What an experiment that can be trained is about to train.

    Attributes:
        device: where.
        precision: in which arithmetic.
        parameters: how many numbers are trained, by slot of the recipe, such as ``"encoder"`` or ``"losses.task"``.
        warnings: what makes scores on test too high, and parameters whose gradient was all zeros in the probe.
    """

    device: torch.device
    precision: Precision
    parameters: Mapping[str, int]
    warnings: tuple[str, ...]

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.parameters.values())


def preflight(experiment: Experiment, ranks: Ranks = ALONE) -> Preflight:
    """Build the learner of the first seed and send the probe through it.

    Raises:
        InputError: the device is not there or lacks the precision, the parts do not work together or cannot be trained
            by several ranks, or the trainer's settings do not fit the model or the data.
    """
    recipe = experiment.loaded.recipe
    device = choose_device(recipe.trainer.device, ranks=ranks)
    precision = Precision.choose(recipe.trainer.precision, device)
    learner = new_learner(experiment, recipe.protocol.seed_list()[0], device)
    if not ranks.alone:
        require_divisible(learner)
    _require_trainable(experiment, learner)
    precision = precision.suited_to(learner.model)
    with precision.autocast():
        batch = probe_batch(experiment.splits.train).to(device)
        warnings = probe(learner, batch, len(experiment.info.labels))
        if recipe.trainer.accumulate > 1:
            require_counts(learner, batch)
    return Preflight(device, precision, _parameters(learner), (*experiment.splits.warnings, *warnings))


def _require_trainable(experiment: Experiment, learner: Learner) -> None:
    """Refuse settings of the trainer that only model and data show to be wrong."""
    loaded, steps = experiment.loaded, Schedule.of(experiment).steps
    trainer = loaded.recipe.trainer
    wrong = {
        f"trainer.optimizer.groups.{pattern}": what
        for pattern, what in group_problems(trainer.optimizer, learner).items()
    }
    if (trainer.schedule.warmup_steps or 0) >= steps:
        must = f"must be below the number of steps in all epochs, {steps} (got {trainer.schedule.warmup_steps})"
        wrong["trainer.schedule.warmup_steps"] = must
    if trainer.accumulate > 1 and learner.objective.couples_rows:  # as a loss may know only once it is built
        must = f"must be 1 where a loss compares the utterances of a batch with each other (got {trainer.accumulate})"
        wrong["trainer.accumulate"] = must
    if wrong:
        problems = [Problem(loaded.sources.where(key), key, message) for key, message in wrong.items()]
        raise InputError(f"the trainer's settings do not fit '{loaded.recipe.name}'", problems)


def _parameters(learner: Learner) -> dict[str, int]:
    model = learner.model
    parts: dict[str, nn.Module] = {"encoder": model.encoder, "fusion": model.fusion, "classifier": model.classifier}
    parts |= {f"losses.{name}": loss for name, loss in learner.objective.losses.items()}
    return {slot: sum(p.numel() for p in part.parameters()) for slot, part in parts.items()}
