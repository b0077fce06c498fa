"""What context and robustness of a run are, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ercframe.report.breakdown_table import with_interval
from ercframe.report.evaluation_table import shown, title
from ercframe.report.markdown import pipe_table, plain
from ercframe.report.table import percent


def evaluation_markdown(found: Mapping[str, Any]) -> str:
    """The tables of the sections ``context`` and ``robustness``, in percent, under a line that says of what.

    Args:
        found: what ``evaluation.json`` holds; at least one of the two must be there.
    """
    parts = [f"**{plain('. '.join(title(found).splitlines()))}**, in percent."]
    if context := found["context"]:
        parts.append(_context(context["views"]))
    if robustness := found["robustness"]:
        parts += list(_robustness(robustness))
    return "\n\n".join(parts) + "\n"


def _context(views: Sequence[Mapping[str, Any]]) -> str:
    heads = ["turns shown before it", "after it", "weighted F1", "95 % interval", "to the whole dialogue's", "flipped"]
    rows = []
    for view in views:
        difference = f"{100 * view['difference']['value']:+.2f} ({with_interval(view['difference'])[1]})"
        flipped = with_interval(view["flipped"])[0]
        rows.append([*shown(view), *with_interval(view["scores"]["weighted_f1"]), difference, flipped])
    return pipe_table(heads, rows)


def _robustness(found: Mapping[str, Any]) -> Iterator[str]:
    """Every set of modalities, then weighted F1 over the shares hidden and over the noise."""
    rows = [[plain(" ".join(one["modalities"])), _score(one)] for one in found["subsets"]]
    yield pipe_table(["modalities shown", "weighted F1"], rows)
    for number, head, curves in (
        ("rate", "share hidden", found["drop_rates"]),
        ("level", "noise", found["noise_levels"]),
    ):
        names = ["all" if len(one["modalities"]) > 1 else plain(one["modalities"][0]) for one in curves]
        points = zip(*(one["points"] for one in curves), strict=True)
        yield pipe_table([head, *names], [[f"{row[0][number]:.1f}", *map(_score, row)] for row in points])


def _score(entry: Mapping[str, Any]) -> str:
    mean, std = (entry["over_seeds"]["weighted_f1"][name] for name in ("mean", "std"))
    return percent(mean) + (f" ± {percent(std)}" if std is not None else "")
