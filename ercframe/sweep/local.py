"""Trials beside each other on this machine."""

from __future__ import annotations

import os
import subprocess
import time

from ercframe.sweep.engine import Ending, Task, ending, start

LOOK_AGAIN = 0.05
"""Seconds between two looks at the processes."""


class LocalEngine:
    """Runs up to ``jobs`` tasks at a time."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._running: list[tuple[Task, subprocess.Popen[bytes]]] = []

    def has_room(self) -> bool:
        """Whether another task would start at once."""
        return len(self._running) < self.jobs

    def submit(self, task: Task) -> None:
        """Start a task."""
        self._running.append((task, start(task, os.environ)))

    def wait(self) -> tuple[Task, Ending]:
        """Wait until one of the tasks has ended, and return it."""
        while True:
            for entry in self._running:
                task, process = entry
                if (code := process.poll()) is not None:
                    self._running.remove(entry)
                    _close(process)
                    return task, ending(task, code)
            time.sleep(LOOK_AGAIN)

    def stop(self) -> list[tuple[Task, Ending]]:
        """Ask all tasks to save their state and end, and wait until they have."""
        for _, process in self._running:
            process.terminate()
        return [self.wait() for _ in list(self._running)]

    def close(self) -> None:
        """Kill what still runs."""
        for _, process in self._running:
            process.kill()
            process.wait()
            _close(process)
        self._running.clear()


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
