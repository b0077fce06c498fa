"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PART = ".part"
"""How hidden files and folders end that are being written; a process that is killed leaves them behind."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary sibling, then put it in the place of ``path`` in one step.

    Whatever stops the process, ``path`` holds either what it held before or all of what was written. A device or a
    pipe, such as ``/dev/stdout``, is written to instead: nothing could take its place.
    """
    if path.is_char_device() or path.is_fifo():
        _pass_on(path, write)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        make_durable(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _pass_on(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file, and copy it to a device or a pipe."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "content"
        write(temporary)
        with temporary.open("rb") as content, path.open("wb") as target:
            shutil.copyfileobj(content, target)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def append_json_line(path: Path, row: Any) -> None:
    """Add one JSON value as a line, in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


def write_json_lines(path: Path, rows: Iterable[Any]) -> None:
    """Write one JSON value a line, atomically."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def remove_parts(folder: Path) -> None:
    """Remove what killed processes left half written in ``folder`` and below; nobody may be writing there."""
    for left in list(folder.rglob(f".*{PART}")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def make_durable(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk.

    A power cut after a rename may else leave an empty file of that name, or the old name.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask, which can only be read by setting it; mkstemp makes files private."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
