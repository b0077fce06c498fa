"""Ending a process when the launcher that started it is killed, and so cannot end it."""

from __future__ import annotations

import os
import signal
import threading
import time

LAUNCHER = "ERCFRAME_LAUNCHER"
"""The variable by which `--nproc` tells its process id to those that it starts. Asked for its parent alone, one whose
launcher was killed while it was starting would take for its launcher whoever has taken it over."""
LOOK_EVERY, GRACE = 1.0, 120.0
"""Seconds between two looks for the launcher, and from SIGTERM to the end: as many as `--nproc` gives."""


def end_with_launcher() -> None:
    """Have this process end soon after its launcher, if it is one of PyTorch's: ``torchrun`` or ``--nproc``.

    SIGTERM asks it to, so that it saves its state. What does not follow within :data:`GRACE`, since it waits for
    another process that is gone, is ended. Whoever else started a process, such as a shell, may rightly end before it.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        launcher = int(os.environ.get(LAUNCHER) or os.getppid())
        threading.Thread(target=_watch, args=(launcher,), name="launcher watch", daemon=True).start()


def _watch(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)
