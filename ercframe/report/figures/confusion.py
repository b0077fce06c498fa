"""Which emotion is taken for which."""

from __future__ import annotations

from collections.abc import Sequence

from ercframe.drawing.canvas import LETTER, Canvas, shortened
from ercframe.report.page import Figure, Table

STRENGTH = 0.7
"""How dark a share of 1 is: words on it must be readable on light paper and on dark."""


def confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]], title: str) -> Figure:
    """Rows are labels, columns predictions; shares of the row, and the counts below them.

    Args:
        labels: names of the emotions.
        counts: a row for each label.
        title: of the figure.
    """
    names = [shortened(name, 11) for name in labels]
    left = 20 + LETTER * 11 * max(map(len, names))
    cell = max(36.0, (336 - left) / len(names))
    height = 32.0
    canvas = Canvas(max(340.0, left + cell * len(names) + 4))
    canvas.words(left + cell * len(names) / 2, 10, "prediction", anchor="middle", colour="muted")
    canvas.words(9, 34 + height * len(names) / 2, "label", anchor="middle", colour="muted", turned=True)
    for j, name in enumerate(names):
        canvas.words(left + cell * (j + 0.5), 26, shortened(name, int(cell / 6)), anchor="middle", size=10.5)
    for i, (name, row) in enumerate(zip(names, counts, strict=True)):
        y, total = 32 + height * i, sum(row)
        canvas.words(left - 5, y + height / 2 + 4, name, anchor="end")
        for j, count in enumerate(row):
            _cell(canvas, left + cell * j, y, cell, height, count, total, f"{labels[i]} taken for {labels[j]}")
    right = sum(row[i] for i, row in enumerate(counts))
    told = f"Confusion matrix of {len(labels)} emotions; {right:,} of {sum(map(sum, counts)):,} are on the diagonal."
    shares = [[_written(count, sum(row)) for count in row] for row in counts]
    rows = [[label, *cells] for label, cells in zip(labels, shares, strict=True)]
    return Figure("confusion", title, told, canvas, Table("count (share of the row)", ["label", *labels], rows))


def _cell(canvas: Canvas, x: float, y: float, width: float, height: float, count: int, total: int, told: str) -> None:
    share = count / total if total else 0.0
    canvas.box(x + 0.5, y + 0.5, width - 1, height - 1, "raised")
    canvas.box(
        x + 0.5, y + 0.5, width - 1, height - 1, "k0", opacity=round(STRENGTH * share, 3), told=f"{told}: {count:,}"
    )
    if total:
        canvas.words(x + width / 2, y + 14, f"{100 * share:.1f}", anchor="middle")
    canvas.words(x + width / 2, y + 26, f"{count:,}", anchor="middle", size=9.5)


def _written(count: int, total: int) -> str:
    return f"{count:,} ({100 * count / total:.1f} %)" if total else f"{count:,}"
