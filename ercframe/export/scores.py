"""The scores of one seed's predictions on test, with intervals over dialogues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.statistics.bootstrap import bootstrap, percentile_interval
from ercframe.statistics.confusion import HEADLINE, class_f1, confusion_by, headline

# Shape letters: B dialogues, C emotions, R resamples, K statistics.


@dataclass(frozen=True)
class Score:
    """A score, as a share of 1, with the ends of its 95 % interval; NaN where there is none.

    Attributes:
        value: the score.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """What one model reaches on test.

    Attributes:
        headline: weighted F1, accuracy and macro F1, by name.
        f1: of each emotion.
        support: turns of each emotion.
        dialogues: number of them.
    """

    headline: Mapping[str, Score]
    f1: Mapping[str, Score]
    support: Mapping[str, int]
    dialogues: int


def score(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Scores | None:
    """Scores of rows of ``predictions.jsonl``; None where there is none.

    Raises:
        KeyError: a row lacks a key, or names no emotion of ``labels``.
    """
    if not rows:
        return None
    number = {name: i for i, name in enumerate(labels)}
    _, dialogue_N = np.unique([row["dialogue"] for row in rows], return_inverse=True)
    label_N, predicted_N = (np.array([number[row[key]] for row in rows]) for key in ("label", "prediction"))
    dialogues, classes = int(dialogue_N.max()) + 1, len(labels)
    counts_BCC = confusion_by(dialogue_N, label_N, predicted_N, (dialogues, classes))
    value_K = _statistic(counts_BCC.sum(axis=0, dtype=np.float64)[None])[0]
    low_K, high_K = percentile_interval(bootstrap(counts_BCC, _statistic))
    found = [Score(*numbers) for numbers in zip(value_K.tolist(), low_K.tolist(), high_K.tolist(), strict=True)]
    support_C = counts_BCC.sum(axis=(0, 2)).tolist()
    return Scores(
        headline=dict(zip(HEADLINE, found, strict=False)),
        f1=dict(zip(labels, found[len(HEADLINE) :], strict=True)),
        support=dict(zip(labels, support_C, strict=True)),
        dialogues=dialogues,
    )


def _statistic(sums_RCC: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([headline(sums_RCC), class_f1(sums_RCC)], axis=1)
