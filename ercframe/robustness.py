"""The conditions under which a model's robustness is measured: sets of modalities, shares hidden, levels of noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from ercframe.conditions import Condition

RATES = tuple(step / 10 for step in range(11))
"""Shares of the utterances whose modality is hidden; at 1 a curve over all modalities leaves speakers and order."""
LEVELS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Deviations of the noise, as shares of each feature's own."""


@dataclass(frozen=True)
class Curve:
    """Conditions that differ in one number, and on which modalities.

    Attributes:
        modalities: one, or all of them, each changed independently of the others.
        points: the number, from 0, and the condition.
    """

    modalities: tuple[str, ...]
    points: tuple[tuple[float, Condition], ...]


def subsets(modalities: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Condition]]:
    """Every set of modalities that is not empty, the large ones first, each with all others hidden."""
    for size in range(len(modalities), 0, -1):
        for kept in combinations(modalities, size):
            yield kept, without(m for m in modalities if m not in kept)


def without(modalities: Iterable[str]) -> Condition:
    """Some modalities hidden everywhere."""
    return Condition.of(hidden=dict.fromkeys(modalities, 1.0))


def drop_curves(modalities: Sequence[str]) -> Iterator[Curve]:
    """Over :data:`RATES`, for each modality, then for all where there are several."""
    for some in _each_then_all(modalities):
        yield Curve(some, tuple((rate, Condition.of(hidden=dict.fromkeys(some, rate))) for rate in RATES))


def noise_curves(modalities: Sequence[str]) -> Iterator[Curve]:
    """Over :data:`LEVELS`, for each modality, then for all where there are several."""
    for some in _each_then_all(modalities):
        yield Curve(some, tuple((level, Condition.of(noise=dict.fromkeys(some, level))) for level in LEVELS))


def _each_then_all(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    return [(m,) for m in modalities] + ([tuple(modalities)] if len(modalities) > 1 else [])
