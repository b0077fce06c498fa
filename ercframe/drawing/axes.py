"""A frame with scales, in which numbers become places on a canvas."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from ercframe.drawing.canvas import Canvas, Point


class Scale:
    """From numbers, ``low`` to ``high``, to pixels; where both are equal, everything is in the middle."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return self.start + share * (self.end - self.start)


class Frame:
    """A rectangle of a canvas with an x and a y scale.

    Args:
        canvas: on which it is.
        left: of the rectangle, in pixels, and so on.
        x: least and largest number from left to right.
        y: from bottom to top.
    """

    def __init__(
        self,
        canvas: Canvas,
        left: float,
        top: float,
        width: float,
        height: float,
        *,
        x: tuple[float, float],
        y: tuple[float, float],
    ) -> None:
        self.canvas = canvas
        self.left, self.top, self.right, self.bottom = left, top, left + width, top + height
        self.x, self.y = Scale(*x, left, self.right), Scale(*y, self.bottom, top)

    def at(self, x: float, y: float) -> Point:
        """Where a pair of numbers is."""
        return self.x(x), self.y(y)

    def line(self, points: Iterable[Point], colour: str, *, width: float = 1.5, dashed: bool = False) -> None:
        """A line through pairs of numbers; less than two are none."""
        places = [self.at(*point) for point in points]
        if len(places) > 1:
            self.canvas.line(places, colour, width=width, dashed=dashed)

    def grid_y(self, show: Callable[[float], str], count: int = 4) -> None:
        """Lines across with their numbers."""
        for value in ticks(self.y.low, self.y.high, count):
            at = self.y(value)
            self.canvas.line([(self.left, at), (self.right, at)], "rule", width=1)
            self.canvas.words(self.left - 5, at + 4, show(value), anchor="end", colour="muted")

    def grid_x(self, show: Callable[[float], str], count: int = 4, *, lines: bool = True) -> None:
        """Lines upwards with their numbers below."""
        for value in ticks(self.x.low, self.x.high, count):
            at = self.x(value)
            if lines:
                self.canvas.line([(at, self.top), (at, self.bottom)], "rule", width=1)
            self.canvas.words(at, self.bottom + 14, show(value), anchor="middle", colour="muted")

    def names_x(self, named: Mapping[float, str]) -> None:
        """Words below places of the x axis."""
        for value, words in named.items():
            self.canvas.words(self.x(value), self.bottom + 14, words, anchor="middle", colour="muted")

    def name_x(self, words: str) -> None:
        """What the x axis shows, below its numbers."""
        self.canvas.words((self.left + self.right) / 2, self.bottom + 29, words, anchor="middle", colour="muted")


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from ``low`` to ``high``, about ``count`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def around(values: Sequence[float], margin: float = 0.06) -> tuple[float, float]:
    """Least and largest of some numbers, with some room; 0 to 1 of none."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    room = (high - low) * margin or abs(high) * margin or 0.01
    return low - room, high + room
