"""Checks of transforms: a new batch, the given randomness, a record of what was hidden."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ercframe.components import ComponentConfig, Transform
from ercframe.data.dialogue import collate
from ercframe.tensors import Batch
from ercframe.testing.scenes import Scene
from ercframe.testing.verdicts import copied, require, require_finite, require_same, require_untouched, tensors_of

SEEDS = range(8)


class TransformTrial:
    """A transform in a scene."""

    def __init__(self, component: type[Transform], config: ComponentConfig, scene: Scene) -> None:
        self.component, self.config, self.scene = component, config, scene

    def build(self) -> Any:
        """The transform."""
        constructor: Any = self.component
        return constructor(self.config, self.scene.dataset)

    def batch(self, **options: Any) -> Batch:
        """A batch of the scene's corpus; options as in :func:`example_batch`."""
        return collate(self.scene.dialogues(**options))

    def works(self) -> None:
        """Change a batch once and look at what comes out.

        Raises:
            ContractError: a feature is not finite.
        """
        require_finite("features", self.run(self.batch(), 0).features)

    def run(self, batch: Batch, seed: int) -> Batch:
        """A changed batch."""
        changed: Batch = self.build().forward(batch, torch.Generator().manual_seed(seed))
        return changed


def batch_is_not_changed(trial: TransformTrial) -> None:
    """The batch that comes in must stay as it is.

    A data loader may hand the same tensors out again in the next epoch.
    """
    batch = trial.batch()
    before = copied(batch)
    for seed in SEEDS:
        trial.run(batch, seed)
    require_untouched("the batch", before, batch)


def answers_are_kept(trial: TransformTrial) -> None:
    """Labels, scored rows, dialogues and the shapes and dtypes of features must stay; all must be finite.

    The model was built for these shapes, and a change of what is right changes the task.
    """
    batch = trial.batch()
    for seed in SEEDS:
        changed = trial.run(batch, seed)
        require(changed.dialogues == batch.dialogues, "dialogues must stay the same, in the same order")
        require_same("labels must stay", {"labels": changed.labels}, {"labels": batch.labels})
        require_same("scored rows must stay", {"scored": changed.scored}, {"scored": batch.scored})
        before, after = _kinds(batch.features), _kinds(changed.features)
        require(after == before, f"features must keep shape and dtype {before} (got {after})")
        require_finite("features", changed.features)


def only_the_generator_decides(trial: TransformTrial) -> None:
    """The same generator must give the same batch, whatever other random states are; these must not be moved.

    A run is repeated from its seed, and a transform must not change the dropout that comes after it.
    """
    batch, python, numpy = trial.batch(), random.getstate(), np.random.get_state()
    changed = []
    try:
        for other in (1, 2):
            random.seed(other)
            np.random.seed(other)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(other)
                before = torch.get_rng_state()
                changed.append(trial.run(batch, 0))
                require(torch.equal(before, torch.get_rng_state()), "PyTorch's global random state must not be moved")
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
    first, second = (dict(tensors_of(batch)) for batch in changed)
    require_same("the same generator must give the same batch", second, first)


def hidden_rows_are_recorded(trial: TransformTrial) -> None:
    """A row that becomes unavailable must be in ``Batch.hidden``, with features of zeros; no row becomes available.

    A loss that reconstructs what was hidden reads the record; the model must not see the features any more.
    """
    for holes in (True, False):
        batch = trial.batch(holes=holes)
        for seed in SEEDS:
            _require_recorded(batch, trial.run(batch, seed))


def every_batch_is_accepted(trial: TransformTrial) -> None:
    """A single utterance, and utterances that lack a modality or everything, must be accepted.

    They occur: the last batch of an epoch takes what is left.
    """
    modalities = tuple(trial.scene.dataset.modalities)
    for lacking in [(), *((m,) for m in modalities), modalities]:
        for lengths in ((1,), (3, 1, 2)):
            batch = trial.batch(lacking=lacking, lengths=lengths)
            for seed in SEEDS:
                require_finite("features", trial.run(batch, seed).features)


def _require_recorded(batch: Batch, changed: Batch) -> None:
    for m, had in batch.context.available.items():
        has = changed.context.available[m]
        require(not bool((has & ~had).any()), f"'{m}' must not become available where it was missing")
        recorded = changed.hidden.get(m, torch.zeros_like(had))
        missed = int((had & ~has & ~recorded).sum())
        require(not missed, f"hidden['{m}'] must hold every row that was hidden ({missed} are not in it)")
        extra = int((recorded & ~(had & ~has)).sum())
        require(not extra, f"hidden['{m}'] must hold only rows that were there and are hidden ({extra} are not)")
        require(not bool(changed.features[m][~has].any()), f"features of '{m}' must be zeros where it is hidden")


def _kinds(tensors: dict[str, Tensor] | Any) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(x.shape), x.dtype) for name, x in tensors.items()}
