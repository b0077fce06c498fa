"""Processes that train the seeds of a run side by side."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol

import torch

from ercframe.child import start_child
from ercframe.cores import share_of_cores
from ercframe.errors import RunError
from ercframe.runs import RunFolder
from ercframe.seed_run import SeedWatcher
from ercframe.signals import INTERRUPTED, PREEMPTED, Signals
from ercframe.stopped import resume_command

LOOK_AGAIN = 0.05
"""Seconds between two looks at whether a signal has come."""

STOPPED_BY = {
    INTERRUPTED: signal.SIGINT,
    PREEMPTED: signal.SIGTERM,
    -signal.SIGINT: signal.SIGINT,
    -signal.SIGTERM: signal.SIGTERM,
}
"""The signal that asked a process to stop, by its exit code; negative where it came while the process was starting."""


class CrewWatcher(SeedWatcher, Protocol):
    """What is told of all seeds."""

    def seed_started(self, seed: int) -> None:
        """Told before each seed."""

    def seed_done(self, seed: int) -> None:
        """Told after the training of each seed, however it ended."""


@dataclass(eq=False)
class _Worker:
    """A process, see :mod:`ercframe.seed_worker`.

    Attributes:
        seed: that it trains; None where it has none.
        ready: whether it has started and takes signals well.
        told: whether the reason of its end is known before it ends.
    """

    process: subprocess.Popen[bytes]
    seed: int | None = None
    ready: bool = False
    told: bool = False

    def whose(self) -> str:
        return "" if self.seed is None else f"seed {self.seed}: "


class Crew:
    """Up to ``size`` processes, each of which trains one seed after the other.

    Args:
        folder: of the run; locked.
        size: number of processes.
        watcher: told of the seeds, in this process.
        signals: what may stop them.
        lock: the handle that holds the folder's lock. The processes hold it, too, so that nobody else takes the folder
            while they save their states because this process was killed.
    """

    def __init__(
        self, folder: RunFolder, size: int, watcher: CrewWatcher, signals: Signals, lock: int | None = None
    ) -> None:
        self.folder, self.size, self.watcher, self.signals, self.lock = folder, size, watcher, signals, lock
        self._workers: list[_Worker] = []
        self._left: deque[int] = deque()
        self._inbox: SimpleQueue[tuple[_Worker, str, tuple[Any, ...]]] = SimpleQueue()
        self._stopping = False
        self._go_on = resume_command(folder, jobs=size)

    def train(self, seeds: Sequence[int]) -> None:
        """Train seeds to the end. Whatever stops one, the others save their states and stop, too.

        Raises:
            RunError: the training of a seed failed, or its process did; names the seed.
            KeyboardInterrupt: Ctrl-C here, or SIGINT at one of the processes.
            Terminated: SIGTERM, likewise.
        """
        self._left.extend(seeds)
        try:
            with self.signals.held():  # looked at between two messages, so that none is lost
                for _ in range(min(self.size, len(seeds))):
                    self._start()
                while self._workers:
                    if failure := self._take(*self._next()):
                        raise RunError(failure)
        except BaseException as reason:
            self._stop(signal.SIGINT if isinstance(reason, KeyboardInterrupt) else signal.SIGTERM)
            raise
        finally:
            for worker in self._workers:
                worker.process.kill()
            for worker in list(self._workers):
                self._let_go(worker)

    def _start(self) -> None:
        threads = {"OMP_NUM_THREADS": str(threads_of_each(self.size))}
        process = start_child(
            "ercframe.seed_worker",
            str(self.folder.path),
            self._go_on,
            stdout=subprocess.PIPE,
            environment={**threads, **os.environ},
            keep=() if self.lock is None else (self.lock,),
        )
        self._workers.append(worker := _Worker(process))
        Thread(target=self._listen, args=(worker,), daemon=True).start()

    def _listen(self, worker: _Worker) -> None:
        """Put what a process tells into the inbox, and last that it ended; in a thread of its own."""
        assert worker.process.stdout is not None
        try:
            with worker.process.stdout as stream, suppress(EOFError, OSError, pickle.UnpicklingError):
                while True:
                    self._inbox.put((worker, *pickle.load(stream)))
        finally:
            self._inbox.put((worker, "ended", ()))

    def _next(self) -> tuple[_Worker, str, tuple[Any, ...]]:
        """Wait for a message, or a signal; while all stop, only for an impatient Ctrl-C."""
        while True:
            number = self.signals.waiting
            if number == signal.SIGINT or (number and not self._stopping):
                self.signals.take_effect(number)
            with suppress(Empty):
                return self._inbox.get(timeout=LOOK_AGAIN)

    def _take(self, worker: _Worker, name: str, arguments: tuple[Any, ...]) -> str:
        """Act on a message; what went wrong, if it tells that."""
        if name == "ended":
            return self._ended(worker)
        if name == "failed":
            worker.told = True
            return worker.whose() + str(arguments[0])
        if name == "ready":
            self._hand_out(worker)
        else:
            getattr(self.watcher, name)(*arguments)
        return ""

    def _hand_out(self, worker: _Worker) -> None:
        """Give a process its next seed, or none."""
        self._put_down(worker)
        worker.ready = True
        if self._left:
            worker.seed = self._left.popleft()
            self.watcher.seed_started(worker.seed)
        with suppress(BrokenPipeError):  # its end is the next message
            assert worker.process.stdin is not None
            worker.process.stdin.write(b"\n" if worker.seed is None else b"%d\n" % worker.seed)
            worker.process.stdin.flush()

    def _put_down(self, worker: _Worker) -> None:
        if worker.seed is not None:
            self.watcher.seed_done(worker.seed)
            worker.seed = None

    def _let_go(self, worker: _Worker) -> int:
        """Wait for the end of a process; its exit code."""
        code = worker.process.wait()
        with suppress(OSError):
            assert worker.process.stdin is not None
            worker.process.stdin.close()
        self._workers.remove(worker)
        self._put_down(worker)
        return code

    def _ended(self, worker: _Worker) -> str:
        """Why a process has ended, where it should not have.

        Raises:
            KeyboardInterrupt, Terminated: a signal came to it alone, which is for all.
        """
        whose, code = worker.whose(), self._let_go(worker)
        if code == 0 or worker.told:
            return ""
        if code in STOPPED_BY:
            if not self._stopping:
                self.signals.take_effect(STOPPED_BY[code])
            return ""
        if code > 0:
            return f"{whose}its process ended with exit code {code} and no word\nTo go on: {self._go_on}"
        return (
            f"{whose}its process was ended by {signal.Signals(-code).name}; the other seeds were saved and stopped\n"
            "If nobody meant to, memory may have been full: fewer --jobs need less.\n"
            f"To go on: {self._go_on}"
        )

    def _stop(self, number: signal.Signals) -> None:
        """Let the seeds at hand save their states and, after Ctrl-C, be summed up; a second Ctrl-C does not wait."""
        self._stopping = True
        self._left.clear()
        with self.signals.held():
            for worker in self._workers:
                if worker.ready:
                    worker.process.send_signal(number)
                else:  # it is still starting, and has nothing to save
                    worker.told = True
                    worker.process.kill()
            while self._workers:
                if failure := self._take(*self._next()):
                    self.watcher.notice(failure)


def threads_of_each(jobs: int) -> int:
    """How many threads each of the processes computes with: as ``OMP_NUM_THREADS`` says, or a share of the cores."""
    return torch.get_num_threads() if "OMP_NUM_THREADS" in os.environ else share_of_cores(jobs)
