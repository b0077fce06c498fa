"""Checks of what a part of a model returns: names, shapes, distributions."""

from __future__ import annotations

import torch
from torch import Tensor

from ercframe.testing.scenes import Scene
from ercframe.testing.trial import Trial
from ercframe.testing.verdicts import NotApplicableError, require

# Shape letters: N utterances, M modalities.


def shapes_as_promised(trial: Trial) -> None:
    """Outputs must have the names and shapes that the component's spec, or its kind, promises.

    The next part is built from the promise alone, before any tensor exists.
    """
    trial.works()


def weights_are_distributions(trial: Trial) -> None:
    """Reported weights must not be negative and must sum to 1 over their last axis, with one row per utterance.

    ``weights["modality"]`` has one column per modality. Reports plot them as shares.
    """
    batch = trial.batch()
    outputs = trial.run(trial.build(), batch)
    if not any(name.startswith("weights ") for name in outputs):
        raise NotApplicableError("it reports no weights")
    for name, weights in outputs.items():
        if name.startswith("weights "):
            _require_distributions(name, weights.detach(), len(batch.labels))
    if "weights modality" in outputs:
        columns, got = _modalities(trial.scene), outputs["weights modality"].shape[-1]
        require(
            got == columns, f"weights['modality'] must have one column for each of {columns} modalities (got {got})"
        )


def _require_distributions(name: str, weights: Tensor, rows: int) -> None:
    require(len(weights) == rows, f"{name} must have one row for each of {rows} utterances (got {len(weights)})")
    require(bool((weights >= 0).all()), f"{name} must not be negative (got {float(weights.min()):.3g})")
    sums = weights.sum(dim=-1)
    require(
        torch.allclose(sums, torch.ones_like(sums), atol=1e-4),
        f"{name} must sum to 1 over the last axis (got {float(sums.min()):.3g} to {float(sums.max()):.3g})",
    )


def _modalities(scene: Scene) -> int:
    """How many modalities the part before kept apart."""
    before = scene.before[0]
    return len(before.modalities) if hasattr(before, "modalities") else len(before.by_modality)
