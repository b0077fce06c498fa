"""How often predictions made with a probability are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ercframe.drawing.axes import Frame
from ercframe.drawing.canvas import Canvas
from ercframe.report.page import Figure, Table


def reliability_diagram(name: str, title: str, bins: Sequence[Mapping[str, Any]]) -> Figure:
    """A bar for each bin of probabilities; a calibrated model's reach the dashed line.

    Args:
        name: of the figure.
        title: of it.
        bins: with ``low``, ``high``, ``count``, ``confidence`` and ``accuracy``, the latter two None in an empty one.
    """
    canvas = Canvas()
    frame = Frame(canvas, 44, 8, 280, 200, x=(0, 1), y=(0, 1))
    frame.grid_y(lambda value: f"{100 * value:g}")
    frame.grid_x(lambda value: f"{100 * value:g}", lines=False)
    frame.name_x("probability of the prediction, in percent")
    most = max((one["count"] for one in bins), default=0) or 1
    filled = [one for one in bins if one["count"]]
    for one in filled:
        left, right, y = frame.x(one["low"]), frame.x(one["high"]), frame.y(one["accuracy"])
        told = f"{one['low']:.2f} to {one['high']:.2f}: {100 * one['accuracy']:.1f} % of {one['count']:,} right"
        strength = 0.25 + 0.6 * one["count"] / most
        canvas.box(left + 0.5, y, right - left - 1, frame.bottom - y, "k0", opacity=round(strength, 3), told=told)
    frame.line([(0, 0), (1, 1)], "ink", width=1.2, dashed=True)
    canvas.dots([frame.at(one["confidence"], one["accuracy"]) for one in filled], "k1", radius=2.5)
    told = (
        "Share of right predictions over their probability; darker bars hold more predictions, dots are at the means."
    )
    head = ["probability", "predictions", "mean probability", "right"]
    rows = [
        [
            f"{one['low']:.2f} to {one['high']:.2f}",
            f"{one['count']:,}",
            f"{100 * one['confidence']:.1f}",
            f"{100 * one['accuracy']:.1f}",
        ]
        for one in filled
    ]
    return Figure(name, title, told, canvas, Table(f"{title}, in percent", head, rows))
