"""Locks on folders, which end with the process that holds them, however that ends."""

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
def locked(folder: Path) -> Iterator[int | None]:
    """Hold ``folder`` for this process alone.

    The kernel holds the lock, not the file, so one that a killed process left behind is in nobody's way.
    On a file system without locks there is none.

    Yields:
        The handle that holds it. A child process that is given it holds it, too, until both have ended. None where
        there is no lock.

    Raises:
        InputError: another process holds it; names the process and its machine.
    """
    handle = _take(folder)
    try:
        yield handle
    finally:
        if handle is not None:
            (folder / NAME).unlink(missing_ok=True)
            os.close(handle)


@contextmanager
def alone(folder: Path, wait: bool) -> Iterator[bool]:
    """Keep other processes that ask the same out of a folder, until the block ends or the process does.

    The lock is on the folder itself, and writes nothing. Where the system or the file system has no locks, nobody is
    kept out.

    Args:
        folder: must be there.
        wait: until it is free; otherwise it is tried once.

    Yields:
        Whether nobody else has it.
    """
    if fcntl is None:
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        held = _flock(handle, wait)
        yield held is None or (held and _is_there(folder, handle))  # another may have removed it
    finally:
        os.close(handle)


def _take(folder: Path) -> int | None:
    if fcntl is None:
        return None
    while True:
        try:
            handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # a folder that nobody can write to needs no lock
            return None
        held = _flock(handle, wait=False)
        if held is False:
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            raise InputError(
                f"{folder} is in use by {holder}, or by one that it started; wait for its end, or end it first"
            )
        if held is None:
            os.close(handle)
            return None
        if _is_there(folder / NAME, handle):  # whoever held it before may have removed the file since it was opened
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            return handle
        os.close(handle)


def _flock(handle: int, wait: bool) -> bool | None:
    """Whether this process has the lock on an open file or folder; None where the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_there(path: Path, handle: int) -> bool:
    """Whether what was opened still has this name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
