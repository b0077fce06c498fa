"""What is known after an epoch, and which epoch is the best so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ercframe.metrics import Scores


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch.

    Attributes:
        number: from 1.
        loss: the weighed sum of ``terms``, in nats.
        terms: each loss term, unweighed, in nats per counted row of the epoch.
        dev, test: scores; None where the protocol does not score them after each epoch.
        seconds: how long training and scoring took.
        learning_rates: of its last step, by the names of the optimizer's groups of parameters.
    """

    number: int
    loss: float
    terms: Mapping[str, float]
    dev: Scores | None
    test: Scores | None
    seconds: float
    learning_rates: Mapping[str, float] = field(default_factory=dict)


class Choice:
    """Which epoch is the best so far: the first with the highest monitored score of one split."""

    def __init__(self, split: str, monitor: str) -> None:
        self.split, self.monitor = split, monitor
        self.number, self.best = 0, float("-inf")

    def take(self, epoch: Epoch) -> bool:
        """Whether this epoch is better than all before."""
        scores = getattr(epoch, self.split)
        value: float = getattr(scores, self.monitor)
        if value <= self.best:
            return False
        self.number, self.best = epoch.number, value
        return True


def best(epochs: Sequence[Epoch], split: str, monitor: str) -> Epoch:
    """The epoch that choosing on ``split`` would take."""
    choice = Choice(split, monitor)
    for epoch in epochs:
        choice.take(epoch)
    return epochs[choice.number - epochs[0].number]
