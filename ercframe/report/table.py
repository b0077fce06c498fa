"""The result of a run as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

GENERATED = "GENERATED DATA: these conversations were drawn from a model, nobody spoke them"


def result_table(summary: Mapping[str, Any]) -> RenderableType:
    """Every seed, mean and std, and what choosing on test would have claimed, all in percent.

    Args:
        summary: what ``summary.json`` holds, with at least one seed.
    """
    return Group(_seeds(summary), _per_class(summary), *(Text(line) for line in _notes(summary)))


def _seeds(summary: Mapping[str, Any]) -> Table:
    shows_gap = "selected_on_test" in summary["seeds"][0]  # always so under protocol paper
    has_dev = "dev" in summary["seeds"][0]["selected"]
    table = _table(_title(summary), _caption(summary))
    table.add_column("seed", no_wrap=True)
    for name in ("epoch", "dev\nwF1", "test\nwF1", "test\nacc.", "macro\nF1"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("oracle\nepoch", "oracle\nwF1", "gap", "last\nwF1") if shows_gap else ():
        table.add_column(name, justify="right", no_wrap=True)
    for seed in summary["seeds"]:
        table.add_row(*_seed_cells(seed, has_dev, shows_gap))
    if len(summary["seeds"]) > 1:
        table.add_section()
        table.add_row(*_over_seeds_cells(summary, "mean", has_dev, shows_gap), style="bold")
        table.add_row(*_over_seeds_cells(summary, "std", has_dev, shows_gap))
    return table


def _seed_cells(seed: Mapping[str, Any], has_dev: bool, shows_gap: bool) -> list[str]:
    chosen = seed["selected"]
    test = chosen["test"]
    cells = [str(seed["seed"]), str(chosen["epoch"])]
    cells += [_percent(chosen["dev"]["weighted_f1"]) if has_dev else "no dev"]
    cells += [_percent(test[name]) for name in ("weighted_f1", "accuracy", "macro_f1")]
    if shows_gap:
        oracle = seed["selected_on_test"]
        gap = oracle["test"]["weighted_f1"] - test["weighted_f1"]
        cells += [str(oracle["epoch"]), _percent(oracle["test"]["weighted_f1"]), f"{100 * gap:+.2f}"]
        cells += [_percent(seed["last"]["test"]["weighted_f1"])]
    return cells


def _over_seeds_cells(summary: Mapping[str, Any], statistic: str, has_dev: bool, shows_gap: bool) -> list[str]:
    """The row of the mean or of the standard deviation over seeds."""
    over = summary["over_seeds"]
    test = over["selected"]["test"]
    cells = ["mean" if statistic == "mean" else "± std", ""]
    cells += [_percent(over["selected"]["dev"]["weighted_f1"][statistic]) if has_dev else "no dev"]
    cells += [_percent(test[name][statistic]) for name in ("weighted_f1", "accuracy", "macro_f1")]
    if shows_gap:
        oracle = over["selected_on_test"]["test"]["weighted_f1"]
        gap = oracle["mean"] - test["weighted_f1"]["mean"]
        cells += ["", _percent(oracle[statistic]), f"{100 * gap:+.2f}" if statistic == "mean" else ""]
        cells += [_percent(over["last"]["test"]["weighted_f1"][statistic])]
    return cells


def _per_class(summary: Mapping[str, Any]) -> Table:
    """Mean over seeds of each class's F1 at the chosen epoch."""
    found = [seed["selected"]["test"]["f1"] for seed in summary["seeds"]]
    table = _table(f"F1 of each class on test, {summary['selection']}, mean over seeds")
    for label in summary["dataset"]["labels"]:
        table.add_column(label, justify="right")
    table.add_row(*(_percent(sum(values) / len(values)) for values in zip(*found, strict=True)))
    return table


def _title(summary: Mapping[str, Any]) -> str:
    title = f"{summary['recipe']} on {summary['dataset']['name']}: {summary['selection']}"
    if summary["status"] != "finished":
        title += f" ({summary['status']})"
    return f"{title}\n{GENERATED}" if summary["dataset"]["generated"] else title


def _caption(summary: Mapping[str, Any]) -> str:
    data = summary["dataset"]
    sizes = ", ".join(f"{count} {split}" for split, count in data["dialogues"].items() if count)
    text = f"In percent, std with ddof 1. Dialogues: {sizes}. Dev: {data['dev']}. "
    text += f"Epochs chosen by {summary['protocol']['monitor'].replace('_', ' ')}."
    if "selected_on_test" in summary["seeds"][0]:
        text += " Oracle: what choosing the best test epoch would have claimed; gap: by how much more."
    return text


def _notes(summary: Mapping[str, Any]) -> list[str]:
    """The main facts a corpus states of itself, such as the best accuracy that is possible on it.

    Those of parts, with the part in brackets, are left to ``summary.json``.
    """
    facts = {name.replace("_", " "): _percent(x) for name, x in summary["dataset"]["facts"].items() if "[" not in name}
    return ["Of this corpus: " + ", ".join(f"{name} {value}" for name, value in facts.items())] if facts else []


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _table(title: str, caption: str | None = None) -> Table:
    """An empty table in this page's manner: narrow enough for 80 columns."""
    return Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
