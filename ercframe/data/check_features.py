"""Checking the features of a modality: values that are no numbers, availability, statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data.check_leaks import Sample, check_leaks
from ercframe.data.features import Features
from ercframe.data.findings import Finding, Level
from ercframe.data.reader import Bundle
from ercframe.data.standardise import Moments
from ercframe.errors import InputError
from ercframe.wording import counted

# Shape letters: N utterances of the bundle, R rows of a slice, D features.

_TOLERANCE = 1e-3  # of mean and scale, in deviations


def check_features(bundle: Bundle, modality: str) -> Iterator[Finding]:
    """What is wrong with a modality, and what is worth knowing; its values are read once."""
    try:
        features = bundle.features(modality)
        train_N = _training_rows(bundle, features)
        rows, moments, sample = _Rows(), Moments(features.statistics.mean), Sample(bundle, features)
        for start, x_RD in features.pieces():
            rows.add(start, x_RD)
            moments.add(x_RD[train_N[start : start + len(x_RD)]])
            sample.add(start, x_RD)
    except InputError as error:
        yield Finding("error", "damaged", str(error))
        return
    yield from _values(bundle, modality, features, rows)
    if train_N.any():
        yield from _statistics(modality, features, moments)
    else:
        yield Finding("error", "statistics", f"{modality}: no training row has it")
    yield from check_leaks(bundle, modality, features, sample)


@dataclass
class _Rows:
    """Rows of each kind."""

    infinite: list[int] = field(default_factory=list)
    partial: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    unknown: int = 0

    def add(self, start: int, x_RD: NDArray[Any]) -> None:
        """Look at the rows from ``start`` on."""
        known_RD = np.isfinite(x_RD)
        all_R = known_RD.all(axis=1)
        if all_R.all():
            return
        some_R = known_RD.any(axis=1)
        self.infinite += (start + np.flatnonzero(np.isinf(x_RD).any(axis=1))).tolist()
        self.partial += (start + np.flatnonzero(some_R & ~all_R)).tolist()
        self.empty += (start + np.flatnonzero(~some_R)).tolist()
        self.unknown += int((~known_RD[some_R]).sum())


def _training_rows(bundle: Bundle, features: Features) -> NDArray[np.bool_]:
    """Which rows of train have the modality, ``(N,)``."""
    train_N = np.zeros_like(features.available)
    train_N[bundle.utterance_rows("train")] = True
    return train_N & features.available


def _values(bundle: Bundle, modality: str, features: Features, rows: _Rows) -> Iterator[Finding]:
    stored = features.rows(0, 1).dtype.name
    if stored != features.modality.dtype:
        yield Finding("error", "type", f"{modality}: values must be {features.modality.dtype} (got {stored})")
    wrong = np.setxor1d(rows.empty, np.flatnonzero(~features.available))
    text = f"{modality}: {{}} whose availability is not what the values say"
    yield from _finding(bundle, "error", "availability", text, wrong.astype(int).tolist())
    text = f"{modality}: {{}} with an infinite value"
    yield from _finding(bundle, "error", "infinite", text, rows.infinite)
    yield from _finding(bundle, "note", "not available", f"{modality}: {{}} not available", rows.empty)
    text = f"{modality}: {{}} with {counted(rows.unknown, 'unknown value')}, which become the training mean"
    yield from _finding(bundle, "note", "unknown value", text, rows.partial)


def _statistics(modality: str, features: Features, moments: Moments) -> Iterator[Finding]:
    """Whether mean and scale are those of the training rows, and which columns are constant there."""
    stored = features.statistics
    fresh, constant = moments.statistics(features.modality.standardisation.floor)
    off_D = (np.abs(stored.mean - fresh.mean) > _TOLERANCE * fresh.scale) | (
        np.abs(stored.scale - fresh.scale) > _TOLERANCE * fresh.scale
    )
    off_D |= ~(np.isfinite(stored.mean) & np.isfinite(stored.scale) & (stored.scale > 0))
    if off_D.any():
        columns = ", ".join(map(str, np.flatnonzero(off_D)[:5]))
        text = f"{modality}: mean or scale of {counted(int(off_D.sum()), 'column')} is not that of train: {columns}"
        yield Finding("error", "statistics", text)
    if constant.size:
        columns = ", ".join(map(str, constant[:10])) + (", …" if constant.size > 10 else "")
        text = f"{modality}: {counted(constant.size, 'column')} constant in train: {columns}"
        yield Finding("note", "constant", text)


def _finding(bundle: Bundle, level: Level, topic: str, text: str, rows: Sequence[int]) -> Iterator[Finding]:
    """One finding for all rows, if there are any, with the dialogue and utterance of each."""
    if rows:
        yield Finding(level, topic, text.format(counted(len(rows), "row")), tuple(bundle.places(rows)))
