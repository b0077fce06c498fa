"""All that can be found wrong with an experiment without training it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ercframe.build import Experiment
from ercframe.model import Learner
from ercframe.probe import probe, probe_batch, require_counts
from ercframe.ranks import ALONE, Ranks
from ercframe.training.device import choose_device
from ercframe.training.parallel import require_divisible
from ercframe.training.precision import Precision
from ercframe.training.state import new_learner


@dataclass(frozen=True)
class Preflight:
    """What an experiment that can be trained is about to train.

    Attributes:
        device: where.
        precision: in which arithmetic.
        parameters: how many numbers are trained, by slot of the recipe, such as ``"encoder"`` or ``"losses.task"``.
        warnings: parameters whose gradient was all zeros in the probe.
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
        InputError: the device is not there or lacks the precision, the parts do not work together, or they cannot be
            trained by several ranks.
    """
    recipe = experiment.loaded.recipe
    device = choose_device(recipe.trainer.device, ranks=ranks)
    precision = Precision.choose(recipe.trainer.precision, device)
    learner = new_learner(experiment, recipe.protocol.seed_list()[0], device)
    if not ranks.alone:
        require_divisible(learner)
    with precision.autocast():
        batch = probe_batch(experiment.splits.train).to(device)
        warnings = probe(learner, batch, len(experiment.info.labels))
        if recipe.trainer.accumulate > 1:
            require_counts(learner, batch)
    return Preflight(device, precision, _parameters(learner), tuple(warnings))


def _parameters(learner: Learner) -> dict[str, int]:
    model = learner.model
    parts: dict[str, nn.Module] = {"encoder": model.encoder, "fusion": model.fusion, "classifier": model.classifier}
    parts |= {f"losses.{name}": loss for name, loss in learner.objective.losses.items()}
    return {slot: sum(p.numel() for p in part.parameters()) for slot, part in parts.items()}
