"""A process that trains seeds of a run: ``python -m ercframe.seed_worker RUN_FOLDER GO_ON``.

:class:`~ercframe.crew.Crew` starts it and holds the run folder's lock. It asks for a seed by ``ready`` and gets its
number as a line, or an empty line where none is left. All that it tells are calls, pickled on what was its standard
output: of the methods of :class:`~ercframe.seed_run.SeedWatcher`, of ``ready``, and of ``failed`` before it ends with
an error. What plugins print goes to the standard error. GO_ON is the command that goes on with the run.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ercframe.child import end_with_parent
from ercframe.errors import InputError, RunError
from ercframe.reopening import reopened
from ercframe.runs import RunFolder
from ercframe.seed_run import SeedRun, train_seed
from ercframe.signals import INTERRUPTED, PREEMPTED, SIGNALS, Signals, Terminated
from ercframe.stopped import explained
from ercframe.training.epoch import Epoch
from ercframe.training.heap import keep_freed_memory
from ercframe.training.memory import memory_explained


class Caller:
    """Tells the process that started this one.

    Args:
        handle: to write to.
        signals: held back meanwhile, so that nothing is told by half.
    """

    def __init__(self, handle: int, signals: Signals) -> None:
        self._stream, self.signals = os.fdopen(handle, "wb"), signals

    def ready(self) -> None:
        """Ask for the next seed."""
        self._call("ready")

    def seed_resumed(self, seed: int, epochs: Sequence[Epoch]) -> None:
        """Tell of the epochs that a seed has behind it."""
        self._call("seed_resumed", seed, list(epochs))

    def epoch_done(self, seed: int, epoch: Epoch, is_best: bool) -> None:
        """Tell of an epoch."""
        self._call("epoch_done", seed, epoch, is_best)

    def notice(self, text: str) -> None:
        """Tell what the user should know."""
        self._call("notice", text)

    def seed_concluded(self, summary: Mapping[str, Any]) -> None:
        """Tell what a seed came to."""
        self._call("seed_concluded", summary)

    def failed(self, text: str) -> None:
        """Tell why this process ends with an error."""
        self._call("failed", text)

    def _call(self, name: str, *arguments: object) -> None:
        with self.signals.held(), suppress(BrokenPipeError):  # the other process is gone: SIGTERM is on its way
            pickle.dump((name, arguments), self._stream)
            self._stream.flush()


def main() -> int:
    """Train until no seed is left; the exit code."""
    folder, go_on, signals = RunFolder(Path(sys.argv[1])), sys.argv[2], Signals(impatient=False)
    caller = Caller(os.dup(1), signals)
    os.dup2(2, 1)
    for number in SIGNALS:  # also where they were ignored; with nothing at hand they end the process without a word
        signal.signal(number, signal.SIG_DFL)
    try:
        with signals.listening():
            return _work(folder, go_on, caller)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated:
        return PREEMPTED


def _work(folder: RunFolder, go_on: str, caller: Caller) -> int:
    orders: SimpleQueue[bytes] = SimpleQueue()
    end_with_parent(orders.put)
    try:
        _train(folder, caller, orders)
    except Exception as error:
        known = explained(error, folder, go_on)
        expected = isinstance(known, InputError | RunError)
        caller.failed(str(known) if expected else f"the code that trains it failed\n{traceback.format_exc().rstrip()}")
        return 1
    return 0


def _train(folder: RunFolder, caller: Caller, orders: SimpleQueue[bytes]) -> None:
    said: list[str] = []  # by the process that started this one, too
    with reopened(folder, said.append) as (experiment, found):
        keep_freed_memory()
        with found.precision.matmuls(), memory_explained(experiment.loaded.recipe):
            caller.ready()
            while order := orders.get().strip():
                seed = int(order)
                run = SeedRun(experiment, seed, folder.seed(seed), found.device, caller.signals, caller)
                train_seed(run, caller)
                caller.ready()


if __name__ == "__main__":
    sys.exit(main())
