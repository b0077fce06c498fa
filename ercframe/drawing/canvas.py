"""A drawing as a list of marks, in CSS pixels from the upper left corner, and the words for who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
LETTER = 0.61
"""Width of a letter by the size of the type, about; a page's fonts are not known here."""


@dataclass(frozen=True)
class Box:
    """A filled rectangle; ``told`` is shown under the mouse."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    opacity: float = 1.0
    told: str = ""


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    colour: str
    width: float = 1.5
    dashed: bool = False
    opacity: float = 1.0


@dataclass(frozen=True)
class Dots:
    """Points of one colour, as discs or squares."""

    points: tuple[Point, ...]
    colour: str
    radius: float = 3.0
    square: bool = False
    opacity: float = 1.0


@dataclass(frozen=True)
class Words:
    """Words with their base line at ``y``; ``turned`` ones run upwards."""

    x: float
    y: float
    words: str
    size: float = 11.0
    anchor: str = "start"
    colour: str = "ink"
    bold: bool = False
    turned: bool = False


Mark = Box | Line | Dots | Words


class Canvas:
    """Collects marks; a backend draws them.

    Args:
        width: in pixels; 340 fits a telephone, so nothing has to shrink there.
    """

    def __init__(self, width: float = 340) -> None:
        self.width, self.height = width, 0.0
        self.marks: list[Mark] = []

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, *, opacity: float = 1.0, told: str = ""
    ) -> None:
        """A filled rectangle."""
        self._reach(y + height)
        self.marks.append(Box(x, y, width, height, colour, opacity, told))

    def line(
        self,
        points: Sequence[Point],
        colour: str,
        *,
        width: float = 1.5,
        dashed: bool = False,
        opacity: float = 1.0,
    ) -> None:
        """A line through points."""
        self._reach(max(y for _, y in points))
        self.marks.append(Line(tuple(points), colour, width, dashed, opacity))

    def dots(
        self, points: Sequence[Point], colour: str, *, radius: float = 3.0, square: bool = False, opacity: float = 1.0
    ) -> None:
        """Points of one colour; none at all are nothing."""
        if points:
            self._reach(max(y for _, y in points) + radius)
            self.marks.append(Dots(tuple(points), colour, radius, square, opacity))

    def words(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 11.0,
        anchor: str = "start",
        colour: str = "ink",
        bold: bool = False,
        turned: bool = False,
    ) -> None:
        """Words; ``anchor`` is start, middle or end."""
        self._reach(y if turned else y + size / 3)
        self.marks.append(Words(x, y, words, size, anchor, colour, bold, turned))

    def legend(self, entries: Sequence[tuple[str, str]], y: float, *, x: float = 4) -> float:
        """Names with a sample of their colour, in as many lines as they need; where the last one ends."""
        at, y, size = x, y + 2, 11.0
        for name, colour in entries:
            needed = 14 + LETTER * size * len(name) + 12
            if at > x and at + needed > self.width:
                at, y = x, y + 16
            self.box(at, y, 10, 10, colour)
            self.words(at + 14, y + 9, name, size=size)
            at += needed
        return y + 18

    def _reach(self, y: float) -> None:
        self.height = max(self.height, y)


def shortened(words: str, most: int) -> str:
    """Words of at most so many letters; what is cut off is shown by an ellipsis."""
    return words if len(words) <= most else words[: most - 1] + "…"
