"""Ctrl-C and termination, held back while something is done that must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130
"""Exit code after Ctrl-C."""
PREEMPTED = 75
"""Exit code after SIGTERM: EX_TEMPFAIL of sysexits.h, "try again later", on which schedulers may put a job back."""


class Terminated(BaseException):
    """The process was asked to end (SIGTERM), as by a cluster that needs the machine.

    As ``KeyboardInterrupt`` it is no ``Exception``, so that nobody catches it by mistake.
    """


class Signals:
    """While listening, SIGINT raises ``KeyboardInterrupt`` and SIGTERM :class:`Terminated`, at once or after a block.

    A second Ctrl-C does not wait.

    Args:
        impatient: False where it waits all the same, since who asks again has another way.

    Attributes:
        torn: True once a signal broke into such a block, so that what it did may be half done.
    """

    def __init__(self, impatient: bool = True) -> None:
        self.torn, self.impatient = False, impatient
        self._depth = 0
        self._arrived: int | None = None

    @contextmanager
    def listening(self) -> Iterator[Signals]:
        """Take the signals over for this block; does nothing outside the main thread, which alone gets signals."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        taken = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]  # as nohup does
        before = {number: signal.signal(number, self._handle) for number in taken}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a signal that comes inside this block take effect at its end."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._arrived is not None and not self._depth:
            self._raise(self._arrived)

    @property
    def waiting(self) -> int:
        """Number of the signal that waits for the end of a block; 0 where there is none."""
        return self._arrived or 0

    def take(self) -> int:
        """What :attr:`waiting` says, for whoever looks by itself: the signal then has no effect of its own."""
        number, self._arrived = self.waiting, None
        return number

    def take_effect(self, number: int) -> None:
        """Let a signal take effect here, inside a block: one that arrived, or that arrived at another process."""
        self._raise(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        impatient = self.impatient and number == signal.SIGINT and self._arrived == signal.SIGINT
        if self._depth and not impatient:
            self._arrived = number
            return
        self.torn = self.torn or self._depth > 0
        self._raise(number)

    def _raise(self, number: int) -> None:
        self._arrived = None
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated
