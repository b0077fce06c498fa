"""A lock on a folder, which ends with the process that holds it, however that ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ercframe.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows; there nothing is locked
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process alone.

    The kernel holds the lock, not the file, so one that a killed process left behind is in nobody's way.
    On a file system without locks there is none.

    Raises:
        InputError: another process holds it; names the process and its machine.
    """
    handle = _take(folder)
    try:
        yield
    finally:
        if handle is not None:
            (folder / NAME).unlink(missing_ok=True)
            os.close(handle)


def _take(folder: Path) -> int | None:
    if fcntl is None:
        return None
    while True:
        try:
            handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # a folder that nobody can write to needs no lock
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            raise InputError(f"{folder} is in use by {holder}; wait for its end, or end it first") from None
        except OSError:  # a file system without locks
            os.close(handle)
            return None
        if _is_there(folder, handle):  # whoever held it before may have removed the file since it was opened
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            return handle
        os.close(handle)


def _is_there(folder: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder / NAME))
    except FileNotFoundError:
        return False
