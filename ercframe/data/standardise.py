r"""Standardisation with the statistics of the training split, and what becomes of unknown values.

.. math:: z = \operatorname{clip}\left(\frac{x - \mu}{s}, -c, c\right)

:math:`\mu` and :math:`s` are mean and deviation of a column over the training rows that have it. A column that is
constant there, up to rounding, gets :math:`s = 1`: dividing by its tiny deviation would blow up whatever differs in
other splits. An unknown value becomes the training mean, that is 0; a row that is not available becomes zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shape letters: N utterances, R rows of a slice, D features.

FLOOR = 1e-6
"""A deviation at most this, relative to ``max(1, |mean|)``, counts as none."""
CLIP = 8.0
"""Default of how many deviations from the mean a value may be."""
PIECE = 1 << 24
"""Values read at a time: 128 MB where they are computed with in float64."""

Reader = Callable[[], Iterable[NDArray[Any]]]


@dataclass(frozen=True)
class Statistics:
    """Mean and scale of every column, ``(D,)`` float32 each."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]


def fit(read: Reader, width: int, floor: float = FLOOR) -> tuple[Statistics, NDArray[np.intp]]:
    """Mean and scale of every column over the training rows, ignoring values that are not finite.

    Args:
        read: gives those rows in pieces ``(R, D)``; called twice. A column without a finite value gets mean 0.
        width: number of columns, D.
        floor: see :data:`FLOOR`.

    Returns:
        The statistics, and the columns that are constant.
    """
    count_D, total_D, square_D = (np.zeros(width) for _ in range(3))
    for piece_RD in read():
        x_RD, known_RD = _finite(piece_RD)
        count_D += known_RD.sum(axis=0)
        total_D += x_RD.sum(axis=0)
    mean_D = total_D / np.maximum(count_D, 1)
    for piece_RD in read():  # a second pass: the difference of two large sums would lose small deviations
        x_RD, known_RD = _finite(piece_RD)
        square_D += (np.where(known_RD, x_RD - mean_D, 0.0) ** 2).sum(axis=0)
    return _statistics(mean_D, square_D / np.maximum(count_D, 1), floor)


class Moments:
    """The same from one reading, where the means are nearly known: deviations from these lose nothing in a difference.

    Args:
        means: of every column, ``(D,)``; one that is not finite counts as 0.
    """

    def __init__(self, means: NDArray[Any]) -> None:
        self._origin_D = np.where(np.isfinite(means), means, 0.0).astype(np.float64)
        self._count_D, self._total_D, self._square_D = (np.zeros(len(means)) for _ in range(3))

    def add(self, piece_RD: NDArray[Any]) -> None:
        """Take some training rows; values that are not finite are ignored."""
        known_RD = np.isfinite(piece_RD)
        away_RD = np.where(known_RD, piece_RD - self._origin_D, 0.0)
        self._count_D += known_RD.sum(axis=0)
        self._total_D += away_RD.sum(axis=0)
        self._square_D += np.einsum("rd,rd->d", away_RD, away_RD)

    def statistics(self, floor: float = FLOOR) -> tuple[Statistics, NDArray[np.intp]]:
        """What :func:`fit` returns, of all rows that were taken, but for rounding."""
        away_D, square_D = (x_D / np.maximum(self._count_D, 1) for x_D in (self._total_D, self._square_D))
        mean_D = np.where(self._count_D > 0, self._origin_D + away_D, 0.0)
        return _statistics(mean_D, np.maximum(square_D - away_D**2, 0.0), floor)


def _statistics(
    mean_D: NDArray[np.float64], variance_D: NDArray[np.float64], floor: float
) -> tuple[Statistics, NDArray[np.intp]]:
    deviation_D = np.sqrt(variance_D)
    constant_D = deviation_D <= floor * np.maximum(1.0, np.abs(mean_D))
    scale_D = np.where(constant_D, 1.0, deviation_D)
    statistics = Statistics(mean_D.astype(np.float32), scale_D.astype(np.float32))
    return statistics, np.flatnonzero(constant_D)


def in_pieces(values: NDArray[Any], rows: NDArray[np.intp]) -> Reader:
    """Some rows of ``(N, D)`` in pieces, so that statistics of a large memory-mapped array need little memory."""
    step = rows_in_a_piece(values.shape[1])
    return lambda: (values[rows[i : i + step]] for i in range(0, len(rows), step))


def rows_in_a_piece(width: int) -> int:
    """How many rows of ``width`` columns are read at a time."""
    return max(1, PIECE // width)


def apply(
    values: NDArray[Any], available: NDArray[np.bool_], statistics: Statistics, clip: float | None
) -> NDArray[np.float32]:
    """Standardise rows ``(R, D)``: unknown values and rows that are not available become 0."""
    z_RD = (values.astype(np.float64) - statistics.mean) / statistics.scale
    z_RD[~np.isfinite(values)] = 0.0
    z_RD[~available] = 0.0
    if clip is not None:
        np.clip(z_RD, -clip, clip, out=z_RD)
    return z_RD.astype(np.float32)


def fill(values: NDArray[Any], available: NDArray[np.bool_], statistics: Statistics) -> NDArray[np.float32]:
    """Raw rows ``(R, D)``: unknown values become the training mean, rows that are not available zeros."""
    x_RD = np.where(np.isfinite(values), values.astype(np.float32), statistics.mean)
    x_RD[~available] = 0.0
    return x_RD


def _finite(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values in double precision with 0 for the unknown, and which are known."""
    known = np.isfinite(values)
    return np.where(known, values, 0).astype(np.float64), known
