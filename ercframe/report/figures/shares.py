"""Shares that add up to one, such as the modalities' weights: by emotion, and turn by turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ercframe.drawing.axes import Frame
from ercframe.drawing.canvas import LETTER, Canvas, shortened
from ercframe.drawing.palette import class_colour
from ercframe.report.page import Figure, Table
from ercframe.report.words import mean_and_std


def share_bars(
    name: str,
    title: str,
    description: str,
    parts: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Mapping[str, Any]]]],
) -> Figure:
    """A bar for each row, divided among the parts.

    Args:
        name: of the figure.
        title: of it.
        description: of it.
        parts: what the bars are divided among.
        rows: name of each bar, and ``mean`` and ``std`` over seeds of each part's share.
    """
    canvas = Canvas()
    top = canvas.legend([(part, class_colour(i)) for i, part in enumerate(parts)], 0) + 2
    left = 8 + LETTER * 11 * max(len(shortened(row, 18)) for row, _ in rows)
    step, thick = 24.0, 18.0
    frame = Frame(canvas, left, top, 332 - left, step * len(rows), x=(0, 1), y=(0, 1))
    for i, (row, shares) in enumerate(rows):
        y, at = top + step * i + 3, 0.0
        canvas.words(left - 5, y + 13, shortened(row, 18), anchor="end")
        for j, mean in enumerate(share["mean"] for share in shares):
            start, end = frame.x(at), frame.x(at + mean)
            canvas.box(
                start, y, end - start - 1, thick, class_colour(j), opacity=0.6, told=f"{row}, {parts[j]}: {mean:.3f}"
            )
            if end - start > 30:
                canvas.words((start + end) / 2, y + 13, f"{100 * mean:.1f}", anchor="middle", size=10.5)
            at += mean
    cells = [[row, *map(mean_and_std, shares)] for row, shares in rows]
    return Figure(name, title, description, canvas, Table(f"{title}, in percent", ["", *parts], cells))


def share_strip(
    name: str,
    title: str,
    description: str,
    parts: Sequence[str],
    turns: Sequence[Sequence[float]],
    wrong: Sequence[bool],
) -> Figure:
    """A column for each turn of a dialogue, divided among the parts; a mark below those that are wrong.

    Args:
        name: of the figure.
        title: of it.
        description: of it.
        parts: what the columns are divided among.
        turns: a share of each part for each turn.
        wrong: which turns to mark.
    """
    canvas = Canvas(340 if len(turns) <= 40 else 680)
    top = canvas.legend([(part, class_colour(i)) for i, part in enumerate(parts)], 0) + 6
    frame = Frame(canvas, 34, top, canvas.width - 42, 110, x=(0, len(turns)), y=(0, 1))
    frame.grid_y(lambda value: f"{100 * value:g}", 2)
    width = (frame.right - frame.left) / len(turns)
    for i, shares in enumerate(turns):
        at = 0.0
        for j, share in enumerate(shares):
            y = frame.y(at + share)
            gap = 0.5 if width > 3 else 0.0
            place = frame.x(i), y, width - gap, frame.y(at) - y
            canvas.box(*place, class_colour(j), opacity=0.75, told=f"turn {i + 1}, {parts[j]}: {share:.3f}")
            at += share
    marks = [(frame.x(i + 0.5), frame.bottom + 6) for i, is_wrong in enumerate(wrong) if is_wrong]
    canvas.dots(marks, "alarm", radius=2, square=True)
    canvas.words(
        frame.left, frame.bottom + 21, "turns in order; the marks are wrong predictions", colour="muted", size=10
    )
    return Figure(name, title, description, canvas)
