"""An evaluation as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ercframe.report.breakdown_table import breakdown_notes, confusions_table, slices_table, with_interval
from ercframe.report.table import GENERATED, SHORT, empty_table, percent, told_of_test
from ercframe.report.words import mean_and_std
from ercframe.wording import counted

SAME = 5e-7
"""Scores nearer to each other than this are the same ones, rounded."""


def evaluation_table(found: Mapping[str, Any]) -> RenderableType:
    """The scores, what they are made of, calibration, and tables of robustness and context, in percent.

    Args:
        found: what ``evaluation.json`` holds.
    """
    parts: list[RenderableType] = [
        _scores(title(found), list(_rows(found))),
        slices_table(found),
        confusions_table(found),
        _calibration(found["calibration"]),
    ]
    if robustness := found["robustness"]:
        rows = [(" ".join(entry["modalities"]), entry["over_seeds"]) for entry in robustness["subsets"]]
        parts += [
            _scores("Every set of modalities", rows),
            _curves("wF1 over the share of utterances whose modality is hidden", "rate", robustness["drop_rates"]),
            _curves("wF1 over the noise, in deviations of each feature", "level", robustness["noise_levels"]),
        ]
    if context := found["context"]:
        parts.append(_context(context["views"]))
    return Group(*parts, *(Text(line) for line in _notes(found)))


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield " ".join(found["modalities"]), found["full"]["over_seeds"]
    if hidden := found["dropped"]:
        yield f"without {', '.join(hidden['modalities'])}", hidden["over_seeds"]


def _scores(title: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """A row for each condition; the first is what the difference is taken to."""
    table = empty_table(escape(title))
    table.add_column("shown")
    for name in (*SHORT.values(), "difference"):
        table.add_column(name if name != "difference" else "wF1 to first", justify="right", no_wrap=True)
    first = rows[0][1]["weighted_f1"]["mean"]
    for i, (shown, scores) in enumerate(rows):
        difference = 100 * (scores["weighted_f1"]["mean"] - first)
        table.add_row(escape(shown), *(mean_and_std(scores[name]) for name in SHORT), f"{difference:+.2f}" if i else "")
    return table


def _curves(title: str, number: str, curves: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each number, a column for each modality; means over the seeds."""
    table = empty_table(title)
    table.add_column(number, justify="right")
    for curve in curves:
        several = len(curve["modalities"]) > 1
        table.add_column("all" if several else escape(curve["modalities"][0]), justify="right", no_wrap=True)
    for points in zip(*(curve["points"] for curve in curves), strict=True):
        means = [percent(point["over_seeds"]["weighted_f1"]["mean"]) for point in points]
        table.add_row(f"{points[0][number]:.1f}", *means)
    return table


def _calibration(found: Mapping[str, Any]) -> Table:
    """How far probabilities can be believed; not in percent."""
    table = empty_table("Calibration")
    table.add_column("probabilities")
    for name in ("ECE", "NLL", "Brier"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = [("as they are", found["as_is"])]
    if temperature := found["temperature"]:
        rows.append((f"T {_plain(temperature['over_seeds'], 2)}, fitted on dev", found["scaled"]))
    for name, measured in rows:
        scores = [measured["over_seeds"][key] for key in ("ece", "nll", "brier")]
        table.add_row(name, *map(_plain, scores))
        if "low" in scores[1]:  # version 2 has no intervals
            ends = [f"{score['low']:.3f} to {score['high']:.3f}" for score in scores[1:]]
            table.add_row("  95 % interval", "none", *ends)
    return table


def _context(views: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each part of the dialogue that is shown."""
    table = empty_table("An utterance with some of the turns around it")
    table.add_column("before it")
    table.add_column("after it")
    for name in ("turns", SHORT["weighted_f1"], "95 % interval", "to whole", "flipped"):
        table.add_column(name, justify="right", no_wrap=True)
    last = None
    for view in views:
        group = view["future"], view["speakers"], view["order"]
        if last and group != last:
            table.add_section()
        last = group
        difference = f"{100 * view['difference']['value']:+.2f}"
        cells = (*with_interval(view["scores"]["weighted_f1"]), difference, percent(view["flipped"]["value"]))
        table.add_row(*shown(view), f"{view['turns']:.1f}", *cells)
    return table


def shown(view: Mapping[str, Any]) -> tuple[str, str]:
    """What is shown before and after the utterance, in words."""
    how = "own" if view["speakers"] == "own" else "shuffled" if view["order"] == "shuffled" else ""
    past, future = str(view["past"]), "all" if view["future"] else "none"
    return how or past.replace("0", "none"), how or future


def _plain(score: Mapping[str, float | None], digits: int = 3) -> str:
    """A number with its deviation over seeds, where there is one."""
    mean, std = score["mean"], score["std"]
    return f"{mean:.{digits}f}" + (f" ± {std:.{digits}f}" if std is not None else "")


def title(found: Mapping[str, Any]) -> str:
    """What was evaluated, in a line; a second one says where the data is generated."""
    count = len(found["seeds"])
    told = told_of_test(found) if found["split"] == "test" else []
    seeds = counted(count, "seed") if count > 1 else f"seed {found['seeds'][0]['seed']}"
    about = ", ".join([*told, found["selection"], seeds])
    line = f"{found['recipe']} on {found['dataset']['name']}, {found['split']}: {about}"
    return f"{line}\n{GENERATED}" if found["dataset"]["generated"] else line


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    several = len(found["seeds"]) > 1
    yield f"In percent{'; mean ± std over the seeds, with ddof 1' if several else ''}."
    yield from breakdown_notes(found)
    pairs = zip(found["full"]["seeds"], found["recorded"]["seeds"], strict=True)
    if any(abs(now[name] - then[name]) > SAME for now, then in pairs for name in SHORT):
        yield (
            "With all modalities the scores are not those that the run recorded: the device, the precision, the number "
            "of threads or a version is another."
        )
