"""The lines of ``predictions.jsonl`` as arrays: what is true of each scored turn, and what each seed predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.statistics.confusion import HEADLINE, confusion_by, headline_and_f1
from ercframe.statistics.over_seeds import Estimate, estimates

# Shape letters: S seeds, N scored turns of a split, B dialogues, C emotions.

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ScoredTurns:
    """The scored turns of a split in the order of their lines, and what one or several seeds predict of them.

    Attributes:
        labels: names of the emotions.
        ids: dialogue and utterance of each turn.
        label: its emotion, ``(N,)``.
        predicted: what each seed predicts, ``(S, N)``.
    """

    labels: tuple[str, ...]
    ids: tuple[tuple[str, str], ...]
    label: NDArray[np.intp]
    predicted: NDArray[np.intp]

    @classmethod
    def of(cls, seeds: Mapping[int, Sequence[Row]], labels: Sequence[str]) -> ScoredTurns:
        """Put the predictions of a run's seeds beside each other.

        Args:
            seeds: lines of one split, at least one, by the number of the seed; at least one seed.
            labels: names of the emotions.

        Raises:
            ValueError: a line lacks something or names no emotion, or the seeds are not of the same turns and labels.
        """
        number = {name: i for i, name in enumerate(labels)}
        tables = {seed: _table(seed, rows, number) for seed, rows in seeds.items()}
        (first, expected), *others = tables.items()
        for seed, table in others:
            if [row[:2] for row in table] != [row[:2] for row in expected]:
                raise ValueError(f"seed {seed} must have the turns and labels that seed {first} has")
        return cls(
            tuple(labels),
            tuple(name for name, _, _ in expected),
            np.array([label for _, label, _ in expected], dtype=np.intp),
            np.array([[predicted for *_, predicted in table] for table in tables.values()], dtype=np.intp),
        )

    @cached_property
    def dialogues(self) -> tuple[str, ...]:
        """Ids of the dialogues, in order of appearance."""
        return tuple(dict.fromkeys(dialogue for dialogue, _ in self.ids))

    @cached_property
    def dialogue(self) -> NDArray[np.intp]:
        """Number of each turn's dialogue, ``(N,)``."""
        number = {name: i for i, name in enumerate(self.dialogues)}
        return np.array([number[dialogue] for dialogue, _ in self.ids], dtype=np.intp)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Confusion counts of each dialogue and seed, ``(B, S, C, C)``; rows are labels."""
        shape = len(self.dialogues), len(self.labels)
        return np.stack([confusion_by(self.dialogue, self.label, said_N, shape) for said_N in self.predicted], axis=1)

    def by_id(self) -> ScoredTurns:
        """The same, sorted by dialogue and utterance."""
        order_N = sorted(range(len(self.ids)), key=self.ids.__getitem__)
        ids = tuple(self.ids[n] for n in order_N)
        return ScoredTurns(self.labels, ids, self.label[order_N], self.predicted[:, order_N])

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each seed is right of each turn, ``(S, N)``."""
        right_SN: NDArray[np.bool_] = self.predicted == self.label
        return right_SN

    @property
    def support(self) -> dict[str, int]:
        """Turns of each emotion."""
        return dict(zip(self.labels, np.bincount(self.label, minlength=len(self.labels)).tolist(), strict=True))

    @property
    def headline(self) -> dict[str, Estimate]:
        """The headline scores over the seeds, by name."""
        return dict(zip(HEADLINE, self._estimates, strict=False))

    @property
    def f1(self) -> dict[str, Estimate]:
        """F1 of each emotion over the seeds; NaN where it is in neither the labels nor a seed's predictions."""
        return dict(zip(self.labels, self._estimates[len(HEADLINE) :], strict=True))

    @cached_property
    def _estimates(self) -> list[Estimate]:
        return estimates(self.counts, headline_and_f1)


def _table(seed: int, rows: Sequence[Row], number: Mapping[str, int]) -> list[tuple[tuple[str, str], int, int]]:
    """Turn, label and prediction of each line."""
    try:
        return [((r["dialogue"], r["utterance"]), number[r["label"]], number[r["prediction"]]) for r in rows]
    except (KeyError, TypeError) as error:
        raise ValueError(f"a line of seed {seed} lacks something, or names no emotion of the run: {error!r}") from None
