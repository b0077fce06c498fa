"""Checking the features of a modality for the answer: columns or availability that give an emotion away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data.features import Features
from ercframe.data.findings import Finding
from ercframe.data.reader import Bundle
from ercframe.wording import counted

# Shape letters: S scored training rows that are looked at, D features, C emotions, K values of a target.

_ROWS = 20_000  # looked at, spread evenly
_FEWEST = 10  # rows on either side of a comparison
_NEAR_PERFECT = 0.98  # area under the ROC curve
_ALIKE = 0.99  # correlation
_SHOWN = 5


class Sample:
    """The rows that are looked at, taken while all are read.

    Args:
        bundle: they are scored rows of its train.
        features: that have the modality.

    Attributes:
        rows: which they are, ``(S,)``, in order.
        labels: of every row of the bundle, ``(N,)``; -1 outside of train, too.
    """

    def __init__(self, bundle: Bundle, features: Features) -> None:
        self.labels = np.full(len(bundle.label), -1, dtype=bundle.label.dtype)
        train = bundle.utterance_rows("train")
        self.labels[train] = bundle.label[train]
        rows = np.flatnonzero((self.labels >= 0) & features.available)
        spread = np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(np.intp)
        self.rows: NDArray[np.intp] = rows[spread] if len(rows) else rows
        self._mean_D = features.statistics.mean
        self._parts = [np.zeros((0, features.modality.width), np.float32)]

    def add(self, start: int, x_RD: NDArray[Any]) -> None:
        """Take what is wanted of the rows from ``start`` on."""
        first, last = np.searchsorted(self.rows, (start, start + len(x_RD)))
        x_SD = x_RD[self.rows[first:last] - start]
        self._parts.append(np.where(np.isfinite(x_SD), x_SD, self._mean_D).astype(np.float32))

    def values(self) -> NDArray[np.float32]:
        """The rows, unknown values at the training mean, ``(S, D)``."""
        return np.concatenate(self._parts)


def check_leaks(bundle: Bundle, modality: str, features: Features, sample: Sample) -> Iterator[Finding]:
    """Warn of a modality from which emotions or targets can be read off, judged on training rows."""
    yield from _telling_availability(bundle, modality, features.available, sample.labels)
    rows = sample.rows
    if len(rows) < 2 * _FEWEST:
        return
    x_SD = sample.values()
    yield from _telling_columns(bundle, modality, x_SD, sample.labels[rows])
    for name, values in bundle.targets.items():
        yield from _targets(modality, x_SD, name, values[rows])


def _telling_availability(
    bundle: Bundle, modality: str, available_N: NDArray[np.bool_], labels_N: NDArray[np.int16]
) -> Iterator[Finding]:
    """An emotion that a modality is nearly always there for and else hardly ever, or the other way round."""
    here_N = available_N.astype(np.float32)[:, None]
    scored = np.flatnonzero(labels_N >= 0)
    for emotion, (area,) in _areas(here_N[scored], labels_N[scored], len(bundle.manifest.labels)):
        # For something that is there or not, the area is the mean of the two shares that are guessed right.
        if max(area, 1 - area) >= 0.9:
            name, way = bundle.manifest.labels[emotion], "there" if area > 0.5 else "missing"
            text = f"{modality}: whether it is there tells {name} apart: it is {way} for {name} and not for the others"
            yield Finding("warning", "leak", text)


def _telling_columns(
    bundle: Bundle, modality: str, x_SD: NDArray[np.float32], labels_S: NDArray[np.int16]
) -> Iterator[Finding]:
    """Columns by which alone one emotion can be told from all others."""
    for emotion, area_D in _areas(x_SD, labels_S, len(bundle.manifest.labels)):
        telling = np.flatnonzero(np.maximum(area_D, 1 - area_D) >= _NEAR_PERFECT)
        if telling.size:
            text = f"{modality}: {_columns(telling)} nearly separates {bundle.manifest.labels[emotion]} from the others"
            yield Finding("warning", "leak", f"{text}: was it made from the labels?")


def _targets(modality: str, x_SD: NDArray[np.float32], name: str, values_SK: NDArray[np.float32]) -> Iterator[Finding]:
    """Columns that are a target under another name."""
    known_S = np.isfinite(values_SK).all(axis=1)
    if known_S.sum() < 2 * _FEWEST:
        return
    correlation_DK = _unit(x_SD[known_S]).T @ _unit(values_SK[known_S])
    alike = np.flatnonzero((np.abs(correlation_DK) >= _ALIKE).any(axis=1))
    if alike.size:
        text = f"{modality}: {_columns(alike)} agrees with the target {name}, which is to be predicted"
        yield Finding("warning", "leak", text)


def _areas(
    x_SD: NDArray[np.float32], labels_S: NDArray[np.int16], emotions: int
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """For each emotion that is frequent enough, the area under the ROC curve of each column alone, ``(D,)``.

    The chance that a row of the emotion has a larger value than one of another; ties count half.
    """
    rank_SD = np.empty(x_SD.shape)
    for d in range(x_SD.shape[1]):
        rank_SD[:, d] = _ranks(x_SD[:, d])
    for emotion in range(emotions):
        of_it = labels_S == emotion
        inside, outside = int(of_it.sum()), int((~of_it).sum())
        if min(inside, outside) >= _FEWEST:
            larger_D = rank_SD[of_it].sum(axis=0) - inside * (inside + 1) / 2
            yield emotion, larger_D / (inside * outside)


def _ranks(x_S: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks from 1, the mean of them where values are equal."""
    _, which_S, count = np.unique(x_S, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: NDArray[np.float64] = (last - (count - 1) / 2)[which_S]
    return ranks


def _unit(x_SD: NDArray[np.float32]) -> NDArray[np.float64]:
    """Columns with mean 0 and length 1; constant ones are zeros."""
    centred_SD = x_SD.astype(np.float64) - x_SD.mean(axis=0, dtype=np.float64)
    length_D = np.linalg.norm(centred_SD, axis=0)
    unit: NDArray[np.float64] = centred_SD / np.where(length_D > 1e-9, length_D, np.inf)
    return unit


def _columns(columns: NDArray[np.intp]) -> str:
    listed = ", ".join(map(str, columns[:_SHOWN])) + (", …" if columns.size > _SHOWN else "")
    return f"{counted(columns.size, 'column')} ({listed}) alone"
