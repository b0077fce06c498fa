"""Trials beside each other on this machine."""

from __future__ import annotations

import os
import subprocess

from ercframe.sweep.engine import Ending, Task, ending, start


class LocalEngine:
    """Runs up to ``jobs`` tasks at a time."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._running: dict[str, tuple[Task, subprocess.Popen[bytes]]] = {}

    def has_room(self) -> bool:
        """Whether another task would start at once."""
        return len(self._running) < self.jobs

    def submit(self, task: Task) -> None:
        """Start a task."""
        self._running[task.name] = task, start(task, os.environ)

    def ended(self) -> tuple[Task, Ending] | None:
        """A task that has ended, which is told once; None where there is none now."""
        for name, (task, process) in self._running.items():
            if (code := process.poll()) is not None:
                _close(process)
                found = task, ending(task, code)
                del self._running[name]  # last, so that what breaks in before loses no ending
                return found
        return None

    def stop(self, name: str) -> None:
        """Ask a task to save its state and end; does nothing where it was told to have ended."""
        if name in self._running:
            self._running[name][1].terminate()

    def close(self) -> None:
        """Kill what still runs."""
        for _, process in self._running.values():
            process.kill()
            process.wait()
            _close(process)
        self._running.clear()


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
