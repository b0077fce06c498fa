"""What is extracted at a time: a block of turns, its features, and which turns have none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.blame import blame
from ercframe.components import Extractor
from ercframe.data.findings import Place
from ercframe.data.views import Reading, UtteranceView
from ercframe.errors import InputError, NotAvailableError, RunError

# Shape letters: N turns of a block, D features.

_DTYPES = ("float16", "float32", "float64")


@dataclass(frozen=True)
class Block:
    """Turns that are extracted together.

    Attributes:
        rows: their rows in the bundle.
        turns: the turns, N.
        stamp: tells this block, with its files as they are now, from any other of the same bundle.
    """

    rows: tuple[int, ...]
    turns: tuple[UtteranceView, ...]
    stamp: str


@dataclass(frozen=True)
class Missing:
    """Why a turn has no features; ``broken`` where something that should be there cannot be used."""

    reason: str
    broken: bool


@dataclass(frozen=True)
class Result:
    """The features of a block.

    Attributes:
        values: ``(N, D)``; rows of NaN where there are none; D is 0 where no turn of the block has any.
        missing: why turns have none, by their number in the block.
        remarks: what is worth telling about turns, by their number in the block.
    """

    values: NDArray[Any]
    missing: Mapping[int, Missing]
    remarks: Mapping[int, str]


Readings = list[Reading | Missing]


def blocks(turns: Iterable[tuple[int, UtteranceView]], size: int) -> Iterator[Block]:
    """Divide turns, each with its row, into blocks in their order; which turn is in which depends on nothing else."""
    rest = iter(turns)
    while some := tuple(islice(rest, size)):
        yield Block(tuple(row for row, _ in some), tuple(turn for _, turn in some), _stamp(some))


def _stamp(turns: Sequence[tuple[int, UtteranceView]]) -> str:
    """A digest of the rows and of each file's size and time: a file that was repaired meanwhile is read again."""
    digest = hashlib.sha256()
    for row, turn in turns:
        files = [(kind, path.stat()) for kind, path in sorted(turn.media.items()) if path.is_file()]
        digest.update(repr((row, [(kind, s.st_size, s.st_mtime_ns) for kind, s in files])).encode())
    return digest.hexdigest()[:16]


def read(extractor: Extractor, turns: Sequence[UtteranceView]) -> Readings:
    """Read some turns; one that cannot be read does not keep the others from it.

    Raises:
        RunError: the extractor's code failed, rather than the turn.
    """
    return [_read_one(extractor, turn) for turn in turns]


def _read_one(extractor: Extractor, turn: UtteranceView) -> Reading | Missing:
    try:
        return extractor.read(turn)
    except NotAvailableError as error:
        return Missing(error.reason, error.broken)
    except OSError as error:
        return Missing((error.strerror or type(error).__name__).lower(), True)
    except (InputError, RunError):
        raise
    except Exception as error:
        raise RunError(f"extractor '{extractor.name}' failed to read {_place(turn)}: {blame(error)}") from error


def extract(extractor: Extractor, turns: Sequence[UtteranceView], readings: Readings) -> Result:
    """The features of some turns, of which something was read.

    Raises:
        RunError: the extractor failed, or did not keep its contract.
    """
    missing = {i: reading for i, reading in enumerate(readings) if isinstance(reading, Missing)}
    there = {i: reading for i, reading in enumerate(readings) if isinstance(reading, Reading)}
    if not there:
        return Result(np.empty((len(turns), 0), np.float32), missing, {})
    found_ND = _extract_there(extractor, [turns[i] for i in there], [reading.content for reading in there.values()])
    values_ND = np.full((len(turns), found_ND.shape[1]), np.nan, found_ND.dtype)
    values_ND[list(there)] = found_ND
    for i in np.flatnonzero(np.isinf(values_ND).any(axis=1)).tolist():
        values_ND[i], missing[i] = np.nan, Missing("a value is infinite", True)
    for i in np.flatnonzero(np.isnan(values_ND).all(axis=1)).tolist():
        missing.setdefault(i, Missing("no value", False))
    remarks = {i: reading.remark for i, reading in there.items() if reading.remark}
    return Result(values_ND, dict(sorted(missing.items())), remarks)


def _extract_there(extractor: Extractor, turns: Sequence[UtteranceView], contents: Sequence[Any]) -> NDArray[Any]:
    of = f"extractor '{extractor.name}'"
    span = str(_place(turns[0])) if len(turns) == 1 else f"{_place(turns[0])} to {_place(turns[-1])}"
    try:
        values_ND = extractor.extract(contents)
    except (InputError, RunError):
        raise
    except Exception as error:
        raise RunError(f"{of} failed on {span}: {blame(error)}") from error
    shape, dtype = np.shape(values_ND), getattr(getattr(values_ND, "dtype", None), "name", type(values_ND).__name__)
    if len(shape) != 2 or shape[0] != len(turns) or not shape[1] or dtype not in _DTYPES:
        raise RunError(
            f"{of} must return a row of float16, float32 or float64 for each of {len(turns)} turns "
            f"(got {dtype} of shape {shape}) for {span}"
        )
    return values_ND


def _place(turn: UtteranceView) -> Place:
    return Place(turn.dialogue, turn.id)
