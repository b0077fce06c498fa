"""Each emotion: its F1, and what it is taken for."""

from __future__ import annotations

import math

from ercframe.report.figures.confusion import confusion_matrix
from ercframe.report.figures.intervals import Bars, interval_bars
from ercframe.report.page import Section
from ercframe.scored_turns import ScoredTurns
from ercframe.wording import counted


def classes(test: ScoredTurns) -> Section:
    """F1 of each class with intervals, and the confusion matrix over all seeds."""
    counts_CC = test.counts.sum(axis=(0, 1))
    seeds = len(test.predicted)
    added = f"counts added over {counted(seeds, 'seed')}" if seeds > 1 else "counts"
    groups = [Bars(name, [one]) for name, one in test.f1.items()]
    bars = interval_bars(
        "f1",
        "F1 of each emotion on test, in percent",
        "Bars: the mean over the seeds; thin lines: 95 % intervals over dialogues.",
        groups,
        first="emotion",
    )
    matrix = confusion_matrix(test.labels, counts_CC.tolist(), f"Confusion: share of the label in percent, {added}")
    rare = [name for name, one in test.f1.items() if math.isnan(one.value)]
    notes = [f"Neither in the labels nor predicted: {', '.join(rare)}."] if rare else []
    return Section("emotions", "Emotions", notes, [bars, matrix])
