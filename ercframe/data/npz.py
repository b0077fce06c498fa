"""Reading arrays from an ``.npz`` file that a person made: nothing is unpickled, every problem is noted."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data.findings import Finding, Place
from ercframe.data.records import FeatureArray, SourceFile
from ercframe.errors import InputError, Problem, nearest
from ercframe.wording import counted

# Shape letters: N utterances, D features.

ANNOTATION = re.compile(r"label|emotion|sentiment|valence|arousal|dominance|(^|_)vad($|_)", re.IGNORECASE)
"""Names of arrays that look like something people annotated, which is no input."""
_NUMBERS = "fiub"  # NumPy's kinds: float, integer, unsigned, boolean
_SHOWN = 3  # examples in a problem


class NpzFile:
    """The arrays of an ``.npz`` file.

    Methods that find something wrong add it to :attr:`problems` and return None, so that one reading shows them all.

    Attributes:
        path: the file.
        source: its name and digest.
        names: its arrays.
        problems: everything that is wrong so far.

    Raises:
        InputError: there is no such file, or it is no ``.npz`` file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path = Path(path)
        self.problems = list[Problem]()
        if path.is_dir():
            raise InputError(f"{path} must be an .npz file (got a folder)")
        if not path.is_file():
            raise InputError(f"no such file: {path}")
        try:
            with _opened(path) as arrays:
                self.names = tuple(arrays)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile):
            raise InputError(f"{path} must be an .npz file, as numpy.savez writes it, and complete") from None
        self.source = SourceFile.of(path)

    def note(self, what: str, message: str) -> None:
        """Add a problem."""
        self.problems.append(Problem("", what, message))

    def note_examples(self, what: str, rule: str, examples: Sequence[str]) -> None:
        """Add one problem for all that break a rule, if there are any, showing the first."""
        if examples:
            rest = f" and {len(examples) - _SHOWN:,} more" if len(examples) > _SHOWN else ""
            self.note(what, f"{rule} (got {', '.join(examples[:_SHOWN])}{rest})")

    def refuse_problems(self, help: str = "") -> None:
        """Raise :class:`InputError` with all problems, if there are any, and ``help``."""
        if self.problems:
            raise InputError(f"{counted(len(self.problems), 'problem')} in {self.path}", self.problems, help)

    def array(self, name: str, what: str = "") -> NDArray[Any] | None:
        """One array, or None with a problem under the heading ``what`` (its name, unless told)."""
        what = what or name
        if name not in self.names:
            self.note(what, f"no array '{name}'{nearest(name, self.names)}")
            return None
        try:
            return self._load(name)
        except ValueError:
            got = "pickled Python objects, which are never loaded; .astype(str) makes text of them before saving"
            self.note(what, f"'{name}' must hold numbers or strings (got {got})")
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            self.note(what, f"'{name}' cannot be read: {error}")
        return None

    def _load(self, name: str) -> NDArray[Any]:
        with _opened(self.path) as arrays:
            array: NDArray[Any] = arrays[name]
        return array

    def column(self, name: str, what: str = "") -> NDArray[Any] | None:
        """One value for each utterance, ``(N,)``."""
        array = self.array(name, what)
        if array is not None and array.ndim != 1:
            self.note(what or name, f"'{name}' must have one value for each utterance (got shape {_shape(array)})")
            return None
        return array

    def integers(self, name: str, what: str = "") -> list[int] | None:
        """A column of whole numbers, N of them."""
        array = self.column(name, what)
        if array is None:
            return None
        if array.dtype.kind not in "iu":
            self.note(what or name, f"'{name}' must hold whole numbers (got {array.dtype})")
            return None
        return [int(value) for value in array.tolist()]

    def integers_or_text(self, name: str, what: str = "") -> list[int] | list[str] | None:
        """A column of whole numbers or of text, N of either."""
        array = self.column(name, what)
        if array is None:
            return None
        return self.strings(name, what) if array.dtype.kind in "US" else self.integers(name, what)

    def numbers(self, name: str, what: str = "") -> list[float] | None:
        """A column of numbers, N of them, in double precision."""
        array = self.column(name, what)
        if array is None:
            return None
        if array.dtype.kind not in "iuf":
            self.note(what or name, f"'{name}' must hold numbers (got {array.dtype})")
            return None
        return plain_floats(array)

    def strings(self, name: str, what: str = "") -> list[str] | None:
        """A column as text, N strings; numbers are written out."""
        array = self.column(name, what)
        if array is None:
            return None
        try:
            text = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array.astype(str)
        except UnicodeDecodeError as error:
            self.note(what or name, f"'{name}' must be UTF-8 ({error.reason})")
            return None
        return [str(value) for value in text.tolist()]

    def equal(self, columns: Mapping[str, list[Any] | None], names: Mapping[str, str]) -> dict[str, list[Any]]:
        """Those columns that could be read and have as many values as most of them.

        Args:
            columns: by what they mean; None where one could not be read.
            names: of their arrays, by the same keys.
        """
        read = {role: values for role, values in columns.items() if values is not None}
        usual = Counter(len(values) for values in read.values()).most_common(1)[0][0] if read else 0
        for role in [role for role, values in read.items() if len(values) != usual]:
            got = len(read.pop(role))
            self.note(names[role], f"must have {usual:,} values, as the other columns (got {got:,})")
        if read and not usual:
            self.note("", "must have at least one utterance (got none)")
        return read

    def table(self, name: str, rows: int, what: str) -> NDArray[Any] | None:
        """A 2-D array of numbers with ``rows`` rows, ``(N, D)`` float; whole numbers become float32."""
        if name not in self.names:
            tables = self.tables(rows)
            self.note(
                what, f"no array '{name}'{nearest(name, tables) or '; 2-D arrays: ' + (', '.join(tables) or 'none')}"
            )
            return None
        array = self.array(name, what)
        if array is None:
            return None
        if array.dtype.kind not in _NUMBERS:
            self.note(what, f"'{name}' must hold numbers (got {array.dtype})")
        elif array.ndim != 2 or not array.shape[1]:
            self.note(what, f"'{name}' must be 2-D, a row for each utterance (got shape {_shape(array)})")
        elif len(array) != rows:
            self.note(what, f"'{name}' must have {rows:,} rows, one for each utterance (got {len(array):,})")
        else:
            return array if array.dtype.name in ("float16", "float32", "float64") else array.astype(np.float32)
        return None

    def modalities(self, choice: Mapping[str, Sequence[str]], rows: int) -> dict[str, FeatureArray]:
        """Join the chosen arrays to one table for each modality, ``(N, D)``, N being ``rows``."""
        joined = {}
        for modality, names in choice.items():
            what = f"modality {modality}"
            if not re.fullmatch(r"[a-z][a-z0-9_]*", modality):
                self.note(what, "a modality's name must be lower case letters, digits and underscores, a letter first")
            if not names or len(set(names)) < len(names):
                self.note(what, f"must name one array or several different ones (got {', '.join(names) or 'none'})")
                continue
            tables = {name: self.table(name, rows, what) for name in names}
            known = {name: table for name, table in tables.items() if table is not None}
            if len(known) < len(tables):
                continue
            values = np.concatenate(list(known.values()), axis=1)
            if not np.isfinite(values).any():
                self.note(what, "must have a finite value in at least one row (got none)")
            parts = {name: table.shape[1] for name, table in known.items()}
            joined[modality] = FeatureArray(values, parts, source=self.source)
        return joined

    def tables(self, rows: int) -> list[str]:
        """Names of the arrays that can be a modality."""
        found: list[str] = []
        for name in (name for name in self.names if not ANNOTATION.search(name)):
            with suppress(ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error):
                array = self._load(name)
                found += [name] * (array.ndim == 2 and len(array) == rows and array.dtype.kind in _NUMBERS)
        return found


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, Any]]:
    """The file's arrays. NumPy leaves a file open that it cannot read, so it is not the one to open it."""
    with path.open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise ValueError("one array, not several by name")
        with arrays:
            yield arrays


def plain_floats(array: NDArray[Any]) -> list[float]:
    """The shortest decimals that stand for the same values: a float32 of 6.2901 reads 6.2901, not 6.29010009765625."""
    return [float(text) for text in array.astype(str).tolist()]


def describe_features(
    features: Mapping[str, FeatureArray], places: Sequence[Place], targets: Iterable[str] = ()
) -> Iterator[Finding]:
    """What deserves a look in features: gaps, infinite values, annotations among the inputs.

    Args:
        features: arrays by modality.
        places: where each of their rows belongs, N of them.
        targets: arrays that are kept as targets.
    """
    for modality, array in features.items():
        x_ND = array.values
        known_ND = np.isfinite(x_ND)
        missing_N = ~known_ND.any(axis=1)
        gaps_N = ~known_ND.all(axis=1) & ~missing_N
        infinite_N = np.isinf(x_ND).any(axis=1)
        if infinite_N.any():
            text = f"{modality}: {counted(int(infinite_N.sum()), 'row')} with an infinite value, taken as unknown"
            yield Finding("warning", "infinite", text, _at(infinite_N, places))
        if missing_N.any():
            text = f"{modality}: {counted(int(missing_N.sum()), 'row')} without any value: not available"
            yield Finding("note", "not available", text, _at(missing_N, places))
        if gaps_N.any():
            unknown = counted(int((~known_ND[gaps_N]).sum()), "unknown value")
            text = f"{modality}: {counted(int(gaps_N.sum()), 'row')} with {unknown}, which become the training mean"
            yield Finding("note", "unknown value", text, _at(gaps_N, places))
        suspects = [part for part in array.parts if part in targets or ANNOTATION.search(part)]
        if suspects:
            text = f"{modality}: '{', '.join(suspects)}' looks like an annotation; a label must not be an input"
            yield Finding("warning", "label as input", text)


def _at(rows_N: NDArray[np.bool_], places: Sequence[Place]) -> tuple[Place, ...]:
    return tuple(places[int(i)] for i in np.flatnonzero(rows_N))


def _shape(array: NDArray[Any]) -> str:
    return "×".join(map(str, array.shape)) or "of a single value"
