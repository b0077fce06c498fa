"""The features of a bundle, read from memory-mapped files row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from ercframe.data import standardise
from ercframe.data.manifest import Modality
from ercframe.data.stored import read_arrays

# Shape letters: N utterances of the bundle, R rows of a slice, D features.


class Features:
    """The features of one modality; rows are read from the memory-mapped file as they are asked for.

    Attributes:
        modality: its entry in the manifest.
        available: which utterances have it, ``(N,)``.
        statistics: mean and scale of every column, ``(D,)`` each.
    """

    def __init__(self, bundle: Path, modality: Modality, utterances: int) -> None:
        self.modality, self._path = modality, bundle / modality.file
        shapes: dict[str, tuple[int | None, ...]] = {
            "values": (utterances, modality.width),
            "available": (utterances,),
            "mean": (modality.width,),
            "scale": (modality.width,),
        }
        stored = read_arrays(self._path, shapes, except_for="values")
        self.available: NDArray[np.bool_] = stored["available"]
        self.statistics = standardise.Statistics(stored["mean"], stored["scale"])

    @cached_property
    def _values(self) -> Any:
        return safe_open(self._path, framework="np").get_slice("values")  # type: ignore[no-untyped-call]

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Raw values of rows ``start`` to ``stop``, ``(R, D)``."""
        values: NDArray[Any] = self._values[start:stop]
        return values

    def pieces(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """All rows, raw, ``(R, D)`` at a time, each piece with its first row."""
        rows, step = len(self.available), standardise.rows_in_a_piece(self.modality.width)
        for start in range(0, rows, step):
            yield start, self.rows(start, min(start + step, rows))

    def standardised(self, start: int, stop: int, clip: float | None) -> NDArray[np.float32]:
        """Rows with unknown values and missing rows at 0, ``(R, D)``; see :mod:`ercframe.data.standardise`."""
        return standardise.apply(self.rows(start, stop), self.available[start:stop], self.statistics, clip)

    def filled(self, start: int, stop: int) -> NDArray[np.float32]:
        """Raw rows with unknown values at the training mean and missing rows at 0, ``(R, D)``."""
        return standardise.fill(self.rows(start, stop), self.available[start:stop], self.statistics)

    def fitted_on(self, ranges: Iterable[tuple[int, int]]) -> Self:
        """The same features with mean and scale of other rows than those of the training split.

        Args:
            ranges: first row of each run of rows, and the row after its last.
        """
        held, parts = self.modality.standardisation, list(ranges)

        def read() -> Iterator[NDArray[Any]]:
            return (self.rows(*part)[self.available[slice(*part)]] for part in parts)

        fitted = copy(self)
        fitted.statistics, constant = standardise.fit(read, self.modality.width, held.floor)
        rows = sum(int(self.available[slice(*part)].sum()) for part in parts)
        told = held.model_copy(update={"rows": rows, "constant": tuple(constant.tolist())})
        fitted.modality = self.modality.model_copy(update={"standardisation": told})
        return fitted

    def __getstate__(self) -> dict[str, Any]:
        # An open file cannot travel to another process; there it is opened again.
        return {name: value for name, value in self.__dict__.items() if name != "_values"}
