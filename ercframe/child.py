"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from typing import IO


def start_child(
    module: str,
    *arguments: str,
    stdout: int | IO[bytes],
    stderr: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    keep: Collection[int] = (),
) -> subprocess.Popen[bytes]:
    """Start ``python -m MODULE ARGUMENTS``, which calls :func:`end_with_parent`.

    It gets a session of its own, so that a Ctrl-C on the terminal comes to this process alone. As with ``ercframe``
    itself, no module of the current directory is imported.

    Args:
        module: name of a module.
        arguments: of its command line.
        stdout: where it prints, as for :class:`subprocess.Popen`.
        stderr: where it complains; None for where this process does.
        environment: its variables; None for those of this process.
        keep: handles of open files that it shall hold open, too.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        pass_fds=tuple(keep),
        start_new_session=True,
    )


def end_with_parent(take: Callable[[bytes], object] = lambda line: None) -> None:
    """From now on, end when the process does that started this one: by SIGTERM, on which a state can be saved.

    The standard input shows it. The parent keeps that open, and it closes however the parent ends, also where it is
    killed.

    Args:
        take: given each line that the parent writes there, in another thread, and an empty one at the end.
    """
    threading.Thread(target=_listen, args=(take,), daemon=True).start()


def _listen(take: Callable[[bytes], object]) -> None:
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as lines:
        for line in lines:
            take(line)
    take(b"")
    os.kill(os.getpid(), signal.SIGTERM)
