"""Making a folder so that nobody ever sees half of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ercframe.errors import InputError


@contextmanager
def new_folder(path: Path, replace: bool) -> Iterator[Path]:
    """A hidden folder beside ``path`` to fill; it takes the place of ``path`` when the block ends without an error.

    Whatever stops the process, ``path`` holds either what it held before or all of what was written. What a killed
    process left behind is removed by the next that makes the same folder.

    Args:
        path: the folder to make.
        replace: whether a folder that is there by then may be replaced.

    Raises:
        InputError: ``path`` was taken meanwhile and may not be replaced.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    folder, old = (path.parent / f".{path.name}.{role}-{os.getpid()}" for role in ("new", "old"))
    folder.mkdir()
    try:
        yield folder
        _make_durable(folder)
        if replace and path.exists():
            path.rename(old)
        _move(folder, path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _move(folder: Path, path: Path) -> None:
    try:
        folder.rename(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _make_durable(folder: Path) -> None:
    """Without this a power cut after the move may leave empty files under the final name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _remove_leftovers(path: Path) -> None:
    """Remove what killed processes left; a process that still lives keeps its folder."""
    for left in path.parent.glob(f".{path.name}.*-*"):
        process = left.name.rpartition("-")[2]
        if process.isdigit() and not _lives(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(process: int) -> bool:
    if os.name != "posix":  # elsewhere asking would stop the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
