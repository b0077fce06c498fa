"""What a score is made of: emotions, slices and confusions, each with what seeds and dialogues do to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data.records import UNSCORED
from ercframe.slices import Slice, SpeakersAre, Turns, slices
from ercframe.statistics.bootstrap import Floats
from ercframe.statistics.confusion import HEADLINE, class_f1, confusion_by, headline
from ercframe.statistics.over_seeds import FEW, Estimate, drawn, estimates

# Shape letters: N turns of the split, B dialogues, S seeds, G slices, C emotions, R resamples, K statistics.

MOST_CONFUSED = 10
"""Confusions that are told."""


def breakdown(
    turns: Turns, predicted_SN: NDArray[Any], labels: Sequence[str], speakers: SpeakersAre = "people"
) -> dict[str, Any]:
    """Break the scores of one or several seeds down.

    Args:
        turns: of the split; at least one must be scored.
        predicted_SN: what each seed predicts, ``(S, N)``; not read where a turn is not scored.
        labels: names of the emotions.
        speakers: as in :func:`~ercframe.slices.slices`.

    Returns:
        ``turns``, ``dialogues``, ``bootstrap``, ``scores``, ``f1``, ``confusion``, ``confusions`` and ``slices``, as
        files keep them; docs/evaluation.md describes them.
    """
    every = Slice("", "", turns.label != UNSCORED)
    groups = [every, *slices(turns, speakers)]
    counts_BSGCC = np.stack(
        [confusion_counts(turns, predicted_SN, group.rows, len(labels)) for group in groups], axis=2
    )
    scores_G, f1_C, shares_CC = _estimates(counts_BSGCC)
    confusion_CC = counts_BSGCC[:, :, 0].sum(axis=(0, 1))
    support_C = counts_BSGCC[:, 0, 0].sum(axis=(0, 2)).tolist()
    return {
        **_size(turns, every),
        "bootstrap": drawn(),
        "scores": scores_G[0],
        "f1": {
            name: {**estimate.as_json(), "support": support}
            for name, estimate, support in zip(labels, f1_C, support_C, strict=True)
        },
        "confusion": confusion_CC.tolist(),
        "confusions": _largest(shares_CC, labels, support_C),
        "slices": [_described(turns, group, scores) for group, scores in zip(groups[1:], scores_G[1:], strict=True)],
    }


def confusion_counts(
    turns: Turns, predicted_SN: NDArray[Any], rows_N: NDArray[np.bool_], classes: int
) -> NDArray[np.int64]:
    """Confusion counts of some scored turns, of every dialogue that has something scored, ``(B, S, C, C)``."""
    scored = np.unique(turns.dialogue[turns.label != UNSCORED])
    number = np.searchsorted(scored, turns.dialogue[rows_N])
    label, shape = turns.label[rows_N], (len(scored), classes)
    return np.stack([confusion_by(number, label, predicted_N[rows_N], shape) for predicted_N in predicted_SN], axis=1)


def _estimates(
    counts_BSGCC: NDArray[np.int64],
) -> tuple[list[dict[str, Any]], list[Estimate], NDArray[Any]]:
    """Headline scores of each slice, the first of which is everything; F1 of each emotion; shares of its turns."""
    slices_there, classes = counts_BSGCC.shape[2:4]

    def statistic(sums_RSGCC: Floats) -> Floats:
        whole_RSCC = sums_RSGCC[:, :, 0]
        with np.errstate(invalid="ignore"):  # an emotion that a resample does not have
            share_RSCC = whole_RSCC / whole_RSCC.sum(axis=-1, keepdims=True)
        parts = headline(sums_RSGCC), class_f1(whole_RSCC), share_RSCC
        return np.concatenate([part.reshape(*sums_RSGCC.shape[:2], -1) for part in parts], axis=-1)

    found = estimates(counts_BSGCC, statistic)
    heads, rest = found[: slices_there * len(HEADLINE)], found[slices_there * len(HEADLINE) :]
    return (
        [named(heads[g * len(HEADLINE) : (g + 1) * len(HEADLINE)]) for g in range(slices_there)],
        rest[:classes],
        np.array(rest[classes:], dtype=object).reshape(classes, classes),
    )


def named(heads: Sequence[Estimate]) -> dict[str, Any]:
    """The headline scores by name, as files keep them."""
    return {name: estimate.as_json() for name, estimate in zip(HEADLINE, heads, strict=True)}


def _largest(shares_CC: NDArray[Any], labels: Sequence[str], support_C: Sequence[int]) -> list[dict[str, Any]]:
    """The confusions with the largest shares of their emotion's turns; none that never happened."""
    classes = range(len(labels))
    found = [(shares_CC[c, p], c, p) for c in classes for p in classes if c != p and shares_CC[c, p].value > 0]
    found.sort(key=lambda one: -one[0].value)
    return [
        {"label": labels[c], "prediction": labels[p], "turns": support_C[c], "share": share.as_json()}
        for share, c, p in found[:MOST_CONFUSED]
    ]


def _described(turns: Turns, group: Slice, scores: dict[str, Any]) -> dict[str, Any]:
    size = _size(turns, group)
    return {"by": group.by, "name": group.name, **size, "few": size["dialogues"] < FEW, "scores": scores}


def _size(turns: Turns, group: Slice) -> dict[str, int]:
    return {"turns": int(group.rows.sum()), "dialogues": len(np.unique(turns.dialogue[group.rows]))}
