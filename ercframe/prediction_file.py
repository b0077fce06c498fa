"""Reading predictions that anybody made: one JSON object a line, every scored utterance exactly once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data.json_faults import parse_strictly, written
from ercframe.data.records import UNSCORED
from ercframe.errors import InputError, Problem, nearest, problems_in
from ercframe.slices import Turns

TOLERANCE = 0.01
"""How far from 1 probabilities may sum up to, since files round them."""
Row = Mapping[str, Any]


class Predictions:
    """The predictions of a file for the turns of a split.

    Args:
        path: the file.
        turns: of the split.
        labels: names of the emotions.
        split: its name. Lines whose ``split`` is another are left out.
        split_of: the split of a dialogue, by id; None where the bundle has no such dialogue.

    Attributes:
        predicted: emotion of each turn, ``(N,)``; -1 where the file has none, which only unscored turns may lack.
        unscored: how many predictions are for turns that are not scored.

    Raises:
        InputError: the file cannot be read, or something in it is wrong; lists the problems with their lines.
    """

    def __init__(
        self, path: Path, turns: Turns, labels: Sequence[str], split: str, split_of: Callable[[str], str | None]
    ) -> None:
        self.labels, self.split, self.split_of = tuple(labels), split, split_of
        self.rows = {place: n for n, place in enumerate(turns.ids)}
        self.predicted: NDArray[np.int16] = np.full(len(turns.ids), UNSCORED, dtype=np.int16)
        self._lines: dict[int, int] = {}
        problems = list(self._read(path))
        if not (problems and not self._lines):  # of a file of another format, what it lacks is everything
            problems += self._missing(path, turns)
        if problems:
            help = "docs/evaluation.md describes the format: dialogue, utterance, and prediction or probabilities."
            raise problems_in(path, problems, help)
        self.unscored = int((turns.label[list(self._lines)] == UNSCORED).sum())

    def _read(self, path: Path) -> Iterator[Problem]:
        for number, line in enumerate(_lines(path), 1):
            if not line.strip():
                continue
            try:
                row = _row(line)
                if row.get("split", self.split) == self.split:
                    self._take(row, number)
            except _WrongError as error:
                yield Problem(f"{path.name}:{number}", error.what, error.told)

    def _take(self, row: Row, number: int) -> None:
        n = self._turn(row)
        if n in self._lines:
            raise _WrongError(_place(row), f"must be predicted once (line {self._lines[n]} has it already)")
        self._lines[n] = number  # also where the prediction is wrong: it is not missing
        self.predicted[n] = self.labels.index(self._prediction(row))

    def _turn(self, row: Row) -> int:
        """Number of the turn that a row is about."""
        for key in ("dialogue", "utterance"):
            if not isinstance(row.get(key), str):
                raise _WrongError(key, _must("the id that the bundle has, as text", row, key))
        place = row["dialogue"], row["utterance"]
        if place in self.rows:
            return self.rows[place]
        where = self.split_of(place[0])
        if where is None:
            raise _WrongError(_place(row), f"the bundle has no dialogue '{place[0]}'")
        if where != self.split:
            raise _WrongError(_place(row), f"must be of {self.split} (the dialogue is of {where})")
        near = nearest(place[1], [utterance for dialogue, utterance in self.rows if dialogue == place[0]])
        raise _WrongError(_place(row), f"the dialogue has no utterance '{place[1]}'{near}")

    def _prediction(self, row: Row) -> str:
        if row.get("prediction") is None and "probabilities" in row:
            return self._likeliest(row)
        found = row.get("prediction")
        if not isinstance(found, str) or found not in self.labels:
            near = nearest(found, self.labels) if isinstance(found, str) else ""
            raise _WrongError("prediction", _must(f"one of {', '.join(self.labels)}", row, "prediction") + near)
        return found

    def _likeliest(self, row: Row) -> str:
        """The emotion with the largest probability, the first of the bundle's where two are equal."""
        found = row["probabilities"]
        if not isinstance(found, Mapping) or set(found) != set(self.labels):
            raise _WrongError(
                "probabilities", _must(f"a number for each of {', '.join(self.labels)}", row, "probabilities")
            )
        if not all(type(p) in (int, float) and math.isfinite(p) and p >= 0 for p in found.values()):
            raise _WrongError("probabilities", _must("numbers from 0 to 1", row, "probabilities"))
        total = sum(found.values())
        if abs(total - 1) > TOLERANCE:
            raise _WrongError("probabilities", f"must sum up to 1 (got {total:g})")
        return max(self.labels, key=found.__getitem__)

    def _missing(self, path: Path, turns: Turns) -> Iterator[Problem]:
        for n in np.flatnonzero(turns.label != UNSCORED).tolist():
            if n not in self._lines:
                dialogue, utterance = turns.ids[n]
                yield Problem(path.name, f"{dialogue}, {utterance}", "must be predicted (the file does not have it)")


class _WrongError(Exception):
    """What is wrong with a line."""

    def __init__(self, what: str, told: str) -> None:
        self.what, self.told = what, told
        super().__init__(told)


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def _row(line: bytes) -> Row:
    try:
        row = parse_strictly(line.decode())
    except UnicodeDecodeError:
        raise _WrongError("", "must be UTF-8 text") from None
    except ValueError as error:
        raise _WrongError("", str(error)) from None
    if not isinstance(row, dict):
        raise _WrongError("", f"must be a JSON object with dialogue, utterance and prediction (got {written(row)})")
    return row


def _place(row: Row) -> str:
    return f"{row['dialogue']}, {row['utterance']}"


def _must(what: str, row: Row, key: str) -> str:
    return f"must be {what} (got {written(row[key]) if key in row else 'nothing'})"
