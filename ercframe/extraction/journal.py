"""What has been extracted so far, in a file that a kill cannot spoil."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Container, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from ercframe.extraction.blocks import Block, Missing, Result

_SYNC_SECONDS = 1.0


class Journal:
    """Results, block after block, appended to one file as they come.

    An entry is a line of JSON with the digest of what follows it, then the values as they lie in memory. Whatever
    stops the process, entries that were appended stay; a last one that is not whole is cut off when the file is opened
    again. A power cut may cost those of the last second.

    Attributes:
        kind: width and type of the values, once there are some.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("a+b")
        self.kind: tuple[int, str] | None = None
        self._places = dict(self._sound_entries())
        self._synced = time.monotonic()

    def __contains__(self, stamp: object) -> bool:
        return stamp in self._places

    def append(self, block: Block, result: Result) -> None:
        """Add the result of a block."""
        place = self._file.seek(0, os.SEEK_END)
        _write(self._file, block, result)
        self._file.flush()
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()
        self._places[block.stamp] = place
        self._note_kind(result)

    def _note_kind(self, result: Result) -> None:
        if result.values.shape[1]:
            self.kind = (result.values.shape[1], result.values.dtype.name)

    def results(self, stamps: Container[str]) -> Iterator[tuple[tuple[int, ...], Result]]:
        """The rows and results of some blocks, in the order in which they were appended."""
        for place in [place for stamp, place in self._places.items() if stamp in stamps]:
            self._file.seek(place)
            entry = _read(self._file)
            assert entry is not None  # it was sound when the file was opened, or was appended since
            _, rows, result = entry
            yield rows, result

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self._places:  # what failed before its first result leaves nothing behind
            self._path.unlink()

    def _sound_entries(self) -> Iterator[tuple[str, int]]:
        """Stamp and place of every whole entry; what comes after the last is cut off."""
        place = self._file.seek(0)
        while (entry := _read(self._file)) is not None:
            yield entry[0], place
            self._note_kind(entry[2])
            place = self._file.tell()
        self._file.truncate(place)


def _write(file: IO[bytes], block: Block, result: Result) -> None:
    values = np.ascontiguousarray(result.values)
    told = {
        "stamp": block.stamp,
        "rows": block.rows,
        "shape": values.shape,
        "dtype": values.dtype.name,
        "missing": {i: [missing.reason, missing.broken] for i, missing in result.missing.items()},
        "remarks": dict(result.remarks),
    }
    content = json.dumps(told).encode() + b"\n" + values.tobytes()
    head = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    file.write(json.dumps(head).encode() + b"\n" + content)


def _read(file: IO[bytes]) -> tuple[str, tuple[int, ...], Result] | None:
    """The entry at the file's position; None at its end, and where an entry is not whole."""
    try:
        head = json.loads(file.readline())
        content = file.read(head["bytes"])
        if hashlib.sha256(content).hexdigest() != head["sha256"]:
            return None
        line, _, values = content.partition(b"\n")
        told: dict[str, Any] = json.loads(line)
    except (ValueError, KeyError, TypeError):
        return None
    result = Result(
        np.frombuffer(values, told["dtype"]).reshape(told["shape"]),
        {int(i): Missing(*why) for i, why in told["missing"].items()},
        {int(i): remark for i, remark in told["remarks"].items()},
    )
    return told["stamp"], tuple(told["rows"]), result
