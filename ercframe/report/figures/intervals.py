"""Scores as bars with intervals, in groups where there are several runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from ercframe.drawing.axes import Frame
from ercframe.drawing.canvas import LETTER, Canvas, shortened
from ercframe.drawing.palette import class_colour
from ercframe.report.page import Figure, Table
from ercframe.report.words import interval, with_std
from ercframe.statistics.over_seeds import Estimate

LONGEST = 18


@dataclass(frozen=True)
class Bars:
    """A name for a group of bars, and an estimate for each series; None, or NaN, where there is nothing to say."""

    name: str
    found: Sequence[Estimate | None]


def interval_bars(
    name: str, title: str, description: str, groups: Sequence[Bars], series: Sequence[str] = ("",), first: str = ""
) -> Figure:
    """Bars from 0 to 100 percent; the thin line is the interval.

    Args:
        name: of the figure.
        title: of it.
        description: of it.
        groups: from top to bottom.
        series: what the bars of a group are; one without a name needs no legend.
        first: head of the table's first column.
    """
    canvas = Canvas()
    names = [shortened(group.name, LONGEST) for group in groups]
    left = 8 + LETTER * 11 * max(map(len, names), default=1)
    entries = [(shortened(one, 40), class_colour(i)) for i, one in enumerate(series)]
    top = canvas.legend(entries, 0) + 2 if len(series) > 1 else 2.0
    thick = 14.0 if len(series) == 1 else 11.0
    step = thick * len(series) + 8
    frame = Frame(canvas, left, top, 332 - left - 34, step * len(groups), x=(0, 100), y=(0, 1))
    frame.grid_x(lambda value: f"{value:g}")
    for i, group in enumerate(groups):
        middle = top + step * (i + 0.5)
        canvas.words(left - 5, middle + 4, names[i], anchor="end")
        for j, one in enumerate(group.found):
            y = top + step * i + 4 + thick * j
            _bar(frame, y, thick - 1, class_colour(j), one, f"{group.name} {series[j]}".strip())
    return Figure(name, title, description, canvas, _table(title, groups, series, first))


def _bar(frame: Frame, y: float, height: float, colour: str, one: Estimate | None, told: str) -> None:
    canvas = frame.canvas
    if not _known(one):
        canvas.words(frame.left + 3, y + height / 2 + 3.5, "none", size=9, colour="muted")
        return
    end = frame.x(100 * one.value)
    canvas.box(frame.left, y, end - frame.left, height, colour, opacity=0.75, told=f"{told}: {with_std(one)}")
    low, high, middle = frame.x(100 * one.low), frame.x(100 * one.high), y + height / 2
    if high >= low:  # NaN where no resample had it
        canvas.line([(low, middle), (high, middle)], "ink", width=1.2)
        for at in (low, high):
            canvas.line([(at, middle - 3), (at, middle + 3)], "ink", width=1.2)
    canvas.words(frame.right + 6, middle + 3.5, f"{100 * one.value:.1f}", size=9.5)


def _known(one: Estimate | None) -> TypeGuard[Estimate]:
    return one is not None and not math.isnan(one.value)


def _table(title: str, groups: Sequence[Bars], series: Sequence[str], first: str) -> Table:
    head = [first]
    several = any(one and not math.isnan(one.std) for group in groups for one in group.found)
    for name in series:
        head += [f"{name} {'mean ± std' if several else 'score'}".strip(), f"{name} 95 % interval".strip()]
    rows = []
    for group in groups:
        cells = [(with_std(one), interval(one)) if _known(one) else ("none", "") for one in group.found]
        rows.append([group.name, *(cell for pair in cells for cell in pair)])
    return Table(title, head, rows)
