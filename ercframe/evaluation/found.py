"""Scores of what the models of a run answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ercframe.data.records import UNSCORED
from ercframe.evaluation.asking import Answers, View
from ercframe.metrics import Scores
from ercframe.slices import Turns
from ercframe.statistics.confusion import HEADLINE
from ercframe.summary import scores_in_full, spread

# Shape letters: S seeds, N turns of the split, P scored ones.


@dataclass(frozen=True)
class Found:
    """Answers, beside what is true.

    Attributes:
        answers: of all seeds.
        turns: of the split.
        labels: names of the emotions.
    """

    answers: Answers
    turns: Turns
    labels: tuple[str, ...]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which turns are scored, ``(N,)``."""
        scored_N: NDArray[np.bool_] = self.turns.label != UNSCORED
        return scored_N

    def predicted(self, view: View) -> NDArray[np.intp]:
        """What each seed predicts, ``(S, N)``; -1 for a turn that is not scored."""
        predicted_SP = self.answers.predicted[view]
        predicted_SN = np.full((len(predicted_SP), len(self.turns.label)), UNSCORED, dtype=np.intp)
        predicted_SN[:, self.scored] = predicted_SP
        return predicted_SN

    def scores(self, view: View) -> list[Scores]:
        """Of each seed."""
        label_P = torch.from_numpy(self.turns.label[self.scored].astype(np.int64))
        return [
            Scores.of(torch.from_numpy(predicted_P), label_P, len(self.labels))
            for predicted_P in self.answers.predicted[view]
        ]

    def headline(self, view: View) -> dict[str, Any]:
        """The single numbers, of each seed and over the seeds."""
        scores = self.scores(view)
        return {"seeds": [found.headline() for found in scores], "over_seeds": _over_seeds(scores)}

    def in_full(self, view: View) -> dict[str, Any]:
        """All that :class:`~ercframe.metrics.Scores` has, of each seed, and the single numbers over the seeds."""
        scores = self.scores(view)
        return {"seeds": [scores_in_full(found) for found in scores], "over_seeds": _over_seeds(scores)}


def _over_seeds(scores: Iterable[Scores]) -> dict[str, Any]:
    headlines = [found.headline() for found in scores]
    return {name: spread(headline[name] for headline in headlines) for name in HEADLINE}
