"""How scores depend on context, on missing modalities and on noise, as a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ercframe.files import write_atomically
from ercframe.report.evaluation_table import title
from ercframe.report.palette import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 3.6, 3.2  # inches of a panel


def draw_evaluation(found: Mapping[str, Any], path: Path) -> None:
    """Draw the sections ``context`` and ``robustness`` of an evaluation side by side as SVG.

    Args:
        found: what ``evaluation.json`` holds; at least one of the two must be there.
        path: the file.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = list(_panels(found))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ercframe"}):  # text as text; the same bytes again
        figure = Figure(figsize=(WIDTH * len(panels), HEIGHT), layout="constrained")
        for axes, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            draw(axes)
            axes.grid(True, alpha=0.3)
        figure.suptitle(title(found), fontsize=9)
        write_atomically(path, lambda beside: figure.savefig(beside, format="svg", metadata={"Date": None}))


def _panels(found: Mapping[str, Any]) -> list[Callable[[Axes], None]]:
    panels: list[Callable[[Axes], None]] = []
    if context := found["context"]:
        panels += [partial(_draw_context, context["views"]), partial(_draw_flipped, context["views"])]
    if robustness := found["robustness"]:
        panels.append(partial(_draw_curves, robustness["drop_rates"], "rate", "share of utterances without it"))
        panels.append(partial(_draw_curves, robustness["noise_levels"], "level", "noise, in deviations of a feature"))
    return panels


def _draw_context(views: Sequence[Mapping[str, Any]], axes: Axes) -> None:
    _draw_views(views, lambda view: view["scores"]["weighted_f1"], axes)
    axes.set_ylabel("weighted F1, %")
    for view in views:
        if (how := _changed(view)) is not None:
            name, colour, style = how
            axes.axhline(100 * view["scores"]["weighted_f1"]["value"], color=colour, linestyle=style, label=name)
    axes.legend(frameon=False, fontsize=7)


def _draw_flipped(views: Sequence[Mapping[str, Any]], axes: Axes) -> None:
    _draw_views(views, lambda view: view["flipped"], axes)
    axes.set_ylabel("flipped predictions, %")
    axes.set_ylim(bottom=0)


def _draw_views(views: Sequence[Mapping[str, Any]], read: Callable[[Any], Mapping[str, Any]], axes: Axes) -> None:
    """A line over the turns before, without and with those after, each in its interval over dialogues."""
    for future, colour, marker in zip((False, True), COLOURS, MARKERS, strict=False):
        chosen = [view for view in views if view["future"] is future and _changed(view) is None]
        value, low, high = ([100 * read(view)[name] for view in chosen] for name in ("value", "low", "high"))
        x = range(len(chosen))
        axes.plot(x, value, color=colour, marker=marker, markersize=4, label=f"{'all' if future else 'none'} after it")
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_xticks(x, [str(view["past"]) for view in chosen])
    axes.set_xlabel("turns shown before the utterance")


def _changed(view: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Name, colour and dashes of a view that no line goes through."""
    if view["speakers"] == "own":
        return "own turns alone", COLOURS[2], "--"
    return ("others shuffled", COLOURS[3], ":") if view["order"] == "shuffled" else None


def _draw_curves(curves: Sequence[Mapping[str, Any]], number: str, axis: str, axes: Axes) -> None:
    """A line for each modality and for all, with the deviation over seeds."""
    for i, curve in enumerate(curves):
        name = curve["modalities"][0] if len(curve["modalities"]) == 1 else "all"
        scores = [point["over_seeds"]["weighted_f1"] for point in curve["points"]]
        axes.errorbar(
            [point[number] for point in curve["points"]],
            [100 * score["mean"] for score in scores],
            [100 * (score["std"] or 0) for score in scores],
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=4,
            elinewidth=0.8,
            label=name,
        )
    axes.set_xlabel(axis)
    axes.set_ylabel("weighted F1, %")
    axes.legend(frameon=False, fontsize=7)
