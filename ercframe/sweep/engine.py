"""What runs trials: each as an ``ercframe`` command in a process of its own, however many at a time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ercframe.child import start_child
from ercframe.cores import usable_cores
from ercframe.signals import INTERRUPTED, PREEMPTED

MOST_OF_AN_ERROR = 4000
"""Characters of an error that are kept: its end, where it is longer."""


@dataclass(frozen=True)
class Task:
    """A trial to run.

    Attributes:
        name: of the trial.
        arguments: of ``ercframe``.
        log: the file that gets what it prints; what it writes to standard error stands beside it.
        threads: of PyTorch; None for as many as it takes by itself.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path
    threads: int | None


@dataclass(frozen=True)
class Ending:
    """How a task ended.

    Attributes:
        code: its exit code, negative for the signal that killed it.
        error: what it wrote to standard error.
        lost: why nobody knows how it ended, such as that its machine is gone; empty where that is known.
    """

    code: int
    error: str
    lost: str = ""

    @property
    def resumable(self) -> bool:
        """Whether it was stopped from outside."""
        return self.code in (PREEMPTED, INTERRUPTED) or self.code < 0

    def told(self) -> str:
        """Why it did not finish, in words."""
        if self.lost:
            return self.lost
        if self.code < 0:
            return f"killed by {signal.Signals(-self.code).name}; the system does so where memory is short"
        if self.code == PREEMPTED:
            return "stopped by SIGTERM"
        return self.error or f"ended with exit code {self.code} and no word"


class Engine(Protocol):
    """Runs tasks beside each other."""

    def has_room(self) -> bool:
        """Whether another task would start at once."""

    def submit(self, task: Task) -> None:
        """Start a task."""

    def ended(self) -> tuple[Task, Ending] | None:
        """A task that has ended, which is told once; None where there is none now. Returns at once."""

    def stop(self, name: str) -> None:
        """Ask a task to save its state and end; nothing where it was told to have ended. Returns at once."""

    def close(self) -> None:
        """Kill what still runs, and give everything back."""


def start(task: Task, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a task's process, which ends when its standard input is closed, and so when this process ends."""
    threads = {} if task.threads is None else {"OMP_NUM_THREADS": str(task.threads)}
    with task.log.open("ab") as out, errors_of(task).open("wb") as errors:
        return start_child(
            "ercframe.sweep.worker", *task.arguments, stdout=out, stderr=errors, environment={**environment, **threads}
        )


def ending(task: Task, code: int) -> Ending:
    """How a task ended whose process had this exit code."""
    try:
        error = errors_of(task).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        error = ""
    return Ending(code, error[-MOST_OF_AN_ERROR:])


def errors_of(task: Task) -> Path:
    """The file of what a task writes to standard error."""
    return task.log.with_suffix(".err")


def processors() -> int:
    """Cores that this process may use; as many as ``OMP_NUM_THREADS`` says where it is set."""
    if (asked := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        return max(1, int(asked))
    return usable_cores()
