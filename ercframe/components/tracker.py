"""Trackers: what tells other tools of a run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from ercframe.components.base import Component
from ercframe.tracked_run import TrackedRun


class Tracker(Component):
    """Tells another tool of a run; observes, and never steers. Built from ``(config)``, quickly.

    Metrics are numbers by name, such as ``"loss"``, ``"dev/weighted_f1"`` or ``"test/f1/happy"``; labels in them may
    hold any character. What must be imported is imported in :meth:`started`. Whatever a method raises ends the tracking
    alone: the user is told once, and the tracker not called again.

    When a run is resumed, :meth:`started` is called in a new process for a run of the same ``id``, then :meth:`logged`
    once more for every epoch that the seed at hand has behind it, since a process that is killed may take the last ones
    with it. So a tracker replaces what it has of that seed, or leaves out the epochs that it has.
    """

    kind = "tracker"

    @abstractmethod
    def started(self, run: TrackedRun) -> None:
        """Told before the first epoch."""

    @abstractmethod
    def logged(self, seed: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """Told after each epoch, from 1, of each seed; those of several seeds may come mixed."""

    @abstractmethod
    def concluded(self, seed: int, metrics: Mapping[str, float]) -> None:
        """Told the scores of a seed's chosen epoch, ``"selected/test/weighted_f1"``, and of the other ways to choose.

        A seed that is stopped before it has a result is not concluded.
        """

    @abstractmethod
    def finished(self, status: str, metrics: Mapping[str, float]) -> None:
        """Told last: scores over the seeds, ``"selected/test/weighted_f1/mean"`` and ``…/std``; none without a result.

        Args:
            status: ``finished``, ``interrupted`` (Ctrl-C), ``preempted`` (SIGTERM) or ``failed``. A process that is
                killed does not come so far.
            metrics: numbers by name.
        """
