"""Scores, slices and intervals of predictions, whoever made them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ercframe
from ercframe.breakdown import breakdown
from ercframe.data.label_map import relabelling
from ercframe.data.reader import Bundle
from ercframe.data.records import SPLITS, UNSCORED, sha256
from ercframe.errors import InputError
from ercframe.prediction_file import Predictions
from ercframe.slices import Turns

SCHEMA_VERSION = 2
"""Version of what :func:`score_predictions` returns."""


def score_predictions(
    path: Path, bundle: Bundle, split: str = "test", label_map: Mapping[str, str | None] | None = None
) -> dict[str, Any]:
    """Score a file of predictions against a bundle.

    Args:
        path: the file; see :class:`~ercframe.prediction_file.Predictions`.
        bundle: where the labels are.
        split: what is scored.
        label_map: what became of the bundle's emotions, where the predictions are of others.

    Returns:
        What ``--json`` writes; docs/evaluation.md describes it.

    Raises:
        InputError: the split has nothing to score, or something in the file is wrong.
    """
    bundle.require_sound_index()
    labels, label_of_all = _labels(bundle, label_map)
    turns = _turns(bundle, split, label_of_all)
    splits = {bundle.dialogue_id(i): SPLITS[number] for i, number in enumerate(bundle.split.tolist())}
    found = Predictions(path, turns, labels, split, splits.get)
    return {
        "schema_version": SCHEMA_VERSION,
        "ercframe": ercframe.__version__,
        "predictions": {"file": path.name, "sha256": sha256(path), "unscored": found.unscored},
        "bundle": {"corpus": bundle.manifest.corpus, "manifest_sha256": bundle.fingerprint()},
        "split": split,
        "labels": list(labels),
        **breakdown(turns, found.predicted[None], labels, bundle.manifest.speakers.are),
    }


def _labels(bundle: Bundle, label_map: Mapping[str, str | None] | None) -> tuple[tuple[str, ...], NDArray[np.int16]]:
    names = bundle.manifest.labels
    if label_map is None:
        return names, bundle.label
    counts = np.bincount(bundle.label[bundle.label >= 0], minlength=len(names)).tolist()
    new = relabelling(label_map, names, counts, "in --labels")
    return new.labels, new.apply(bundle.label)


def _turns(bundle: Bundle, split: str, label: NDArray[np.int16]) -> Turns:
    turns = Turns.of(bundle, split, label)
    if not (turns.label != UNSCORED).any():
        have = ", ".join(bundle.manifest.splits)
        raise InputError(f"--split must be a split of {bundle.path} with labels; it has {have} (got '{split}')")
    return turns
