"""Scores, slices and intervals of predictions, whoever made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ercframe
from ercframe.data.label_map import relabelling
from ercframe.data.reader import Bundle
from ercframe.data.records import SPLITS, UNSCORED, sha256
from ercframe.errors import InputError
from ercframe.prediction_file import Predictions
from ercframe.slices import Turns, slices
from ercframe.statistics.bootstrap import LEVEL, RESAMPLES, bootstrap, percentile_interval
from ercframe.statistics.confusion import HEADLINE, class_f1, confusion_by, headline

SCHEMA_VERSION = 1
"""Version of what :func:`score_predictions` returns."""
SEED = 0
"""Of the bootstrap's draws."""

# Shape letters: N turns of the split, B dialogues, S slices, C emotions, R resamples, K statistics.


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
    groups = list(slices(turns, bundle.manifest.speakers.are == "people"))
    every = turns.label != UNSCORED
    counts_BSCC = np.stack(
        [_counts(turns, found.predicted, rows, len(labels)) for rows in (every, *(group.rows for group in groups))],
        axis=1,
    )
    scores_SK, f1_C = _with_intervals(counts_BSCC)
    return {
        "schema_version": SCHEMA_VERSION,
        "ercframe": ercframe.__version__,
        "predictions": {"file": path.name, "sha256": sha256(path), "unscored": found.unscored},
        "bundle": {"corpus": bundle.manifest.corpus, "manifest_sha256": bundle.fingerprint()},
        "split": split,
        "labels": list(labels),
        "turns": int(every.sum()),
        "dialogues": len(np.unique(turns.dialogue[every])),
        "bootstrap": {"unit": "dialogue", "resamples": RESAMPLES, "level": LEVEL, "seed": SEED},
        "scores": scores_SK[0],
        "f1": dict(zip(labels, f1_C, strict=True)),
        "confusion": counts_BSCC[:, 0].sum(axis=0).tolist(),
        "slices": [
            {
                "by": group.by,
                "name": group.name,
                "turns": int(group.rows.sum()),
                "dialogues": len(np.unique(turns.dialogue[group.rows])),
                "scores": scores,
            }
            for group, scores in zip(groups, scores_SK[1:], strict=True)
        ],
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


def _counts(turns: Turns, predicted: NDArray[Any], rows: NDArray[np.bool_], classes: int) -> NDArray[np.int64]:
    """Confusion counts of some turns, of every dialogue that has something scored, ``(B, C, C)``."""
    scored = np.unique(turns.dialogue[turns.label != UNSCORED])
    number = np.searchsorted(scored, turns.dialogue[rows])
    counts: NDArray[np.int64] = confusion_by(number, turns.label[rows], predicted[rows], (len(scored), classes))
    return counts


def _with_intervals(counts_BSCC: NDArray[np.int64]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Headline scores of each slice, the first of which is everything, and the F1 of each class, with intervals."""
    slices_there = counts_BSCC.shape[1]

    def statistic(sums_RSCC: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = headline(sums_RSCC).reshape(len(sums_RSCC), -1)
        return np.concatenate([flat, class_f1(sums_RSCC[:, 0])], axis=1)

    values_K = statistic(counts_BSCC.sum(axis=0, dtype=np.float64)[None])[0]
    low_K, high_K = percentile_interval(bootstrap(counts_BSCC, statistic, seed=SEED))
    entries = [_entry(*numbers) for numbers in zip(values_K, low_K, high_K, strict=True)]
    size = len(HEADLINE)
    scores = [dict(zip(HEADLINE, entries[s * size : (s + 1) * size], strict=True)) for s in range(slices_there)]
    support_C = counts_BSCC[:, 0].sum(axis=(0, 2)).tolist()
    f1 = [{**entry, "support": n} for entry, n in zip(entries[slices_there * size :], support_C, strict=True)]
    return scores, f1


def _entry(*numbers: float) -> dict[str, float | None]:
    """A value with the ends of its interval; None where there is none."""
    named: Sequence[str] = ("value", "low", "high")
    return {name: None if np.isnan(x) else float(x) for name, x in zip(named, numbers, strict=True)}
