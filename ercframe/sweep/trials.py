"""Where the trials of a sweep come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from ercframe.runs import RunFolder
from ercframe.sweep.plan import Trial


class Trials(Protocol):
    """Where trials come from."""

    def next(self) -> Trial | None:
        """The next trial; None where there is none until another has ended, or at all."""

    def given_up(self, trial: Trial, run: RunFolder | None) -> str:
        """Why a trial is not to be trained to its end, judged by what its run folder says so far; empty where it is."""

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Told how a trial ended."""


class Listed:
    """Trials that are all known before the first one starts."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._left: Iterator[Trial] = iter(trials)

    def next(self) -> Trial | None:
        """The next trial; None after the last."""
        return next(self._left, None)

    def given_up(self, trial: Trial, run: RunFolder | None) -> str:
        """All are trained to their end."""
        return ""

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Nothing depends on it."""
