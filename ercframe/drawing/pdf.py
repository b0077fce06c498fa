"""A canvas as a PDF file, drawn by matplotlib: a pixel is a point, text stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ercframe.drawing.canvas import Box, Canvas, Dots, Line, Mark, Words
from ercframe.drawing.palette import PALETTE
from ercframe.files import write_atomically

_ANCHOR = {"start": "left", "middle": "center", "end": "right"}


def write_pdf(canvas: Canvas, path: Path, title: str) -> None:
    """Write the drawing; the same one gives the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    height = canvas.height + 4
    with matplotlib.rc_context({"pdf.fonttype": 42, "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(canvas.width / 72, height / 72))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, canvas.width), ylim=(height, 0))
        axes.axis("off")
        for order, mark in enumerate(canvas.marks):
            _draw(axes, mark, order)
        about = {"CreationDate": None, "Title": title}
        write_atomically(path, lambda beside: figure.savefig(beside, format="pdf", metadata=about))


def _draw(axes: Any, mark: Mark, order: int) -> None:
    from matplotlib.patches import Rectangle

    colour = PALETTE[mark.colour][0]
    match mark:
        case Box():
            place = (mark.x, mark.y), max(mark.width, 0.0), mark.height
            axes.add_patch(Rectangle(*place, color=colour, alpha=mark.opacity, linewidth=0, zorder=order))
        case Line():
            style = (0, (4, 3)) if mark.dashed else "-"
            x, y = zip(*mark.points, strict=True)
            look = {"linewidth": mark.width, "linestyle": style, "alpha": mark.opacity}
            axes.plot(x, y, color=colour, zorder=order, **look)
        case Dots():
            x, y = zip(*mark.points, strict=True)
            shape = "s" if mark.square else "o"
            look = {"markersize": 2 * mark.radius, "markeredgewidth": 0, "alpha": mark.opacity}
            axes.plot(x, y, shape, color=colour, zorder=order, **look)
        case Words():
            look = {"size": 0.9 * mark.size, "weight": "bold" if mark.bold else "normal"}  # DejaVu is wide
            turned = {"rotation": 90, "rotation_mode": "anchor"} if mark.turned else {}
            where = {"ha": _ANCHOR[mark.anchor], "va": "baseline"}
            axes.text(
                mark.x, mark.y, mark.words, color=colour, zorder=order, parse_math=False, **where, **look, **turned
            )
