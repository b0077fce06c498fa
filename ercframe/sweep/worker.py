"""A trial's process: ``python -m ercframe.sweep.worker ARGUMENTS`` is ``ercframe ARGUMENTS``, but ends with its parent.

Whoever starts it keeps its standard input open. That closes however the parent ends, also where it is killed; the trial
is then asked to end as by SIGTERM, so that it saves its state.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def main() -> None:
    """Watch the parent, and do what the command line says."""
    threading.Thread(target=_end_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()
    sys.argv[0] = "ercframe"
    runpy.run_module("ercframe", run_name="__main__")


def _end_with_parent(handle: int) -> None:
    while os.read(handle, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
