"""Learning curves: a number after every epoch, a line for each series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ercframe.drawing.axes import Frame, around
from ercframe.drawing.canvas import Canvas, shortened
from ercframe.drawing.palette import class_colour
from ercframe.report.page import Figure

LEFT, RIGHT, HEIGHT = 44.0, 332.0, 170.0


@dataclass(frozen=True)
class Series:
    """Numbers over a number, and the place of a dot, or None; ``dashed`` where colours begin again."""

    name: str
    points: Sequence[tuple[float, float]]
    marked: tuple[float, float] | None = None


def curves(
    name: str,
    title: str,
    description: str,
    series: Sequence[Series],
    *,
    x: str = "epoch",
    show: Callable[[float], str],
    y_range: tuple[float, float] | None = None,
    x_range: tuple[float, float] | None = None,
    name_at: Mapping[float, str] | None = None,
) -> Figure:
    """Lines in one frame with a legend; dots mark what was chosen.

    Args:
        name: of the figure.
        title: of it.
        description: of it.
        series: the lines.
        x: what the x axis shows.
        show: writes numbers of the y axis.
        y_range: least and largest of the y axis; around the numbers if left out.
        x_range: least and largest of the x axis, likewise.
        name_at: what to write below places of the x axis, instead of numbers.
    """
    canvas = Canvas()
    entries = [(shortened(one.name, 40), class_colour(i)) for i, one in enumerate(series)]
    top = canvas.legend(entries, 0) + 6 if len(series) > 1 else 8
    all_x = [point[0] for one in series for point in one.points]
    all_y = [point[1] for one in series for point in one.points]
    across = x_range or ((min(all_x), max(all_x)) if all_x else (0, 1))
    frame = Frame(canvas, LEFT, top, RIGHT - LEFT, HEIGHT, x=across, y=y_range or around(all_y))
    frame.grid_y(show)
    if name_at:
        frame.names_x(name_at)
    else:
        frame.grid_x(lambda value: f"{value:g}", 5, lines=False)
    frame.name_x(x)
    for i, one in enumerate(series):
        colour = class_colour(i)
        frame.line(one.points, colour, dashed=i >= 8)
        if len(one.points) <= 12:
            canvas.dots([frame.at(*point) for point in one.points], colour, radius=1.6)
        if one.marked:
            canvas.dots([frame.at(*one.marked)], colour, radius=4.2)
    return Figure(name, title, description, canvas)
