"""Representations of utterances on a plane, coloured by emotion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.drawing.axes import Frame, around
from ercframe.drawing.canvas import Canvas
from ercframe.drawing.palette import SERIES, class_colour
from ercframe.report.page import Figure

# Shape letters: N utterances.


def representation_map(
    name: str,
    title: str,
    description: str,
    place_N2: NDArray[Any],
    label_N: NDArray[Any],
    labels: Sequence[str],
    axes: tuple[str, str],
) -> Figure:
    """Dots; emotions past the eighth are squares of the first colours.

    Args:
        name: of the figure.
        title: of it.
        description: of it.
        place_N2: where each utterance is.
        label_N: its emotion.
        labels: names of the emotions.
        axes: what the axes are; may be empty.
    """
    canvas = Canvas()
    top = canvas.legend([(label, class_colour(i)) for i, label in enumerate(labels)], 0) + 4
    x, y = (around([float(v) for v in values]) for values in place_N2.T)
    frame = Frame(canvas, 20, top, 312, 250, x=x, y=y)
    canvas.box(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top, "raised")
    for i in range(len(labels)):
        points = [frame.at(float(x), float(y)) for x, y in place_N2[np.flatnonzero(label_N == i)]]
        canvas.dots(points, class_colour(i), radius=2, opacity=0.75, square=i >= SERIES)
    canvas.words((frame.left + frame.right) / 2, frame.bottom + 15, axes[0], anchor="middle", colour="muted")
    canvas.words(13, (frame.top + frame.bottom) / 2, axes[1], anchor="middle", colour="muted", turned=True)
    return Figure(name, title, description, canvas)
