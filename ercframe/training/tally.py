"""The loss terms of an epoch, collected on the device and read now and then."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from ercframe.tensors import Term


class NotFiniteError(Exception):
    """A loss term was NaN or infinite.

    Attributes:
        batch: which batch of the epoch it was, from 0.
        terms: names of the terms that were not finite.
    """

    def __init__(self, batch: int, terms: Iterable[str]) -> None:
        self.batch, self.terms = batch, tuple(terms)
        super().__init__(f"batch {batch}: {', '.join(self.terms)}")


class Tally:
    """Sums of loss terms and of their counts.

    Terms wait on the device until :meth:`read`, which is the only method that waits for it.
    """

    def __init__(self) -> None:
        self.batches = 0
        """How many batches were added."""
        self._sums: dict[str, tuple[float, float]] = {}
        self._waiting: list[tuple[tuple[str, ...], Tensor]] = []

    def add(self, terms: Mapping[str, Term]) -> None:
        """Take the terms of the next batch."""
        pairs = [x for term in terms.values() for x in (term.total.detach(), term.count.to(term.total))]
        self._waiting.append((tuple(terms), torch.stack(pairs)))
        self.batches += 1

    @property
    def waiting(self) -> int:
        """How many batches were not read yet."""
        return len(self._waiting)

    def read(self) -> None:
        """Add up what waits, in float64.

        Raises:
            NotFiniteError: a term of a batch was not finite; the first such batch is named.
        """
        waiting, self._waiting = self._waiting, []
        for i, (names, row) in enumerate(waiting, self.batches - len(waiting)):
            values = row.tolist()
            pairs = dict(zip(names, zip(values[::2], values[1::2], strict=True), strict=True))
            broken = [name for name, pair in pairs.items() if not all(map(math.isfinite, pair))]
            if broken:
                raise NotFiniteError(i, broken)
            for name, (total, count) in pairs.items():
                before = self._sums.get(name, (0.0, 0.0))
                self._sums[name] = (before[0] + total, before[1] + count)

    def means(self) -> dict[str, float]:
        """Each term in nats per counted row, 0 where nothing was counted; of what was read."""
        return {name: total / count if count else 0.0 for name, (total, count) in self._sums.items()}

    def state_dict(self) -> dict[str, Any]:
        """Sums over the batches so far, as numbers; reads what waits."""
        self.read()
        return {"batches": self.batches, "sums": {name: list(pair) for name, pair in self._sums.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.batches, self._waiting = state["batches"], []
        self._sums = {name: (total, count) for name, (total, count) in state["sums"].items()}
