"""Making a folder so that nobody ever sees half of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ercframe.errors import InputError
from ercframe.files import make_durable


@contextmanager
def new_folder(path: Path, replace: bool) -> Iterator[Path]:
    """A hidden folder beside ``path`` to fill; it takes the place of ``path`` when the block ends without an error.

    Whatever stops the process, ``path`` holds either what it held before or all of what was written. What a killed
    process left behind is removed by the next that makes the same folder.

    Args:
        path: the folder to make.
        replace: whether a folder that is there by then may be replaced.

    Raises:
        InputError: ``path`` cannot be written: no permission, a full disk, or taken meanwhile.
    """
    path = path.resolve()
    folder, old = (path.parent / f".{path.name}.{role}-{os.getpid()}" for role in ("new", "old"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        folder.mkdir()
        yield folder
        for file in folder.rglob("*"):
            if file.is_file():
                make_durable(file)
        if replace and path.exists():
            path.rename(old)
        folder.rename(path)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def refuse_to_overwrite(path: Path, force: bool, mark: str, what: str) -> None:
    """Check that a folder may be written; doing all the work and asking then would waste it.

    Args:
        path: the folder.
        force: whether one of the same kind may be replaced.
        mark: the file by which that is recognised.
        what: what it is called, such as ``"bundle"``.

    Raises:
        InputError: it holds one and ``force`` is false, it holds something else, or it lies in no folder.
    """
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise InputError(f"{path} must lie in a folder (got the file {above.name})")
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    a = "an" if what[0] in "aeiou" else "a"
    if not (path / mark).is_file():
        raise InputError(f"{path} must be a new folder or {a} {what} to replace (got something else, which is kept)")
    if not force:
        raise InputError(f"there is {a} {what} at {path} already; --force replaces it")


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
