"""How cost grows, as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ercframe.files import write_atomically
from ercframe.report.palette import COLOURS, MARKERS
from ercframe.wording import counted


def draw_growth(found: Mapping[str, Any], path: Path) -> None:
    """Draw the sweeps of ``ercframe bench --sweep`` side by side as SVG; both axes are logarithmic."""
    from matplotlib.figure import Figure

    sweeps = found["sweeps"]
    figure = Figure(figsize=(4.2 * len(sweeps), 3.4), layout="constrained")
    for axes, sweep in zip(figure.subplots(1, len(sweeps), squeeze=False)[0], sweeps.values(), strict=True):
        for (name, points), colour, marker in zip(sweep["series"].items(), COLOURS, MARKERS, strict=False):
            x = [point["x"] for point in points]
            y = [1e6 * point["seconds_per_utterance"] for point in points]
            axes.loglog(x, y, color=colour, marker=marker, markersize=4, label=name)
        shown = [x[0], x[len(x) // 2], x[-1]]
        axes.set_xticks(shown, [f"{value:,}" for value in shown])
        axes.set_xticks([], minor=True)
        axes.set_xlabel(sweep["axis"])
        axes.set_ylabel("µs per utterance")
        axes.grid(True, which="major", alpha=0.3)
        axes.legend(frameon=False)
    on = found["machine"]
    threads = counted(on["threads"], "thread")
    figure.suptitle(f"{found['recipe']}: {on['gpu'] or on['processor']}, {threads}, {on['date'][:10]}", fontsize=9)
    write_atomically(path, lambda beside: figure.savefig(beside, format="svg", metadata={"Date": None}))
