"""The result of a run as a table for the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ercframe.protocol import OWN
from ercframe.statistics.confusion import NAMES

GENERATED = "GENERATED DATA: these conversations were drawn from a model, nobody spoke them"
SHORT = {"weighted_f1": "wF1", "accuracy": "acc.", "macro_f1": "mF1"}


def result_table(summary: Mapping[str, Any]) -> RenderableType:
    """Every seed, mean and std, and what choosing on test would have claimed, all in percent.

    Args:
        summary: what ``summary.json`` holds, with at least one seed.
    """
    per_class = Text(f"F1 of each class on test, {summary['selection']}, mean over seeds", style="table.title")
    return Group(_seeds(summary), per_class, _per_class(summary), *(Text(line) for line in _notes(summary)))


def _seeds(summary: Mapping[str, Any]) -> Table:
    """A row for each seed; dev, oracle, gap and last show the score that chose the epochs."""
    monitor = summary["protocol"]["monitor"]
    short = SHORT[monitor]
    shows_gap = "selected_on_test" in summary["seeds"][0]  # always so under protocol paper
    table = empty_table(_title(summary), _caption(summary))
    table.add_column("seed", no_wrap=True)
    for name in ("epoch", f"dev\n{short}", *(f"test\n{other}" for other in SHORT.values())):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("oracle\nepoch", f"oracle\n{short}", "gap", f"last\n{short}") if shows_gap else ():
        table.add_column(name, justify="right", no_wrap=True)
    for seed in summary["seeds"]:
        table.add_row(str(seed["seed"]), *_cells(seed, monitor, lambda score: score))
    if len(summary["seeds"]) > 1:
        over = summary["over_seeds"]
        table.add_section()
        table.add_row("mean", *_cells(over, monitor, lambda score: score["mean"]), style="bold")
        table.add_row("± std", *_cells(over, monitor, lambda score: score["std"], gap=False))
    return table


def _cells(ways: Mapping[str, Any], monitor: str, read: Callable[[Any], float], gap: bool = True) -> Iterator[str]:
    """The cells of a seed, or of a statistic over seeds, which has no epochs."""
    chosen = ways["selected"]
    yield str(chosen.get("epoch", ""))
    yield percent(read(chosen["dev"][monitor])) if "dev" in chosen else "no dev"
    yield from (percent(read(chosen["test"][name])) for name in SHORT)
    if "selected_on_test" in ways:
        oracle, last = ways["selected_on_test"], ways["last"]
        claimed = read(oracle["test"][monitor])
        yield str(oracle.get("epoch", ""))
        yield percent(claimed)
        yield f"{100 * (claimed - read(chosen['test'][monitor])):+.2f}" if gap else ""
        yield percent(read(last["test"][monitor]))


def _per_class(summary: Mapping[str, Any]) -> Table:
    """Mean over seeds of each class's F1 at the chosen epoch."""
    found = [seed["selected"]["test"]["f1"] for seed in summary["seeds"]]
    table = empty_table()
    for label in summary["dataset"]["labels"]:
        table.add_column(label, justify="right")
    table.add_row(*(percent(sum(values) / len(values)) for values in zip(*found, strict=True)))
    return table


def _title(summary: Mapping[str, Any]) -> str:
    data = summary["dataset"]
    title = f"{summary['recipe']} on {data['name']}: {', '.join([*told_of_test(data), summary['selection']])}"
    if summary["status"] != "finished":
        title += f" ({summary['status']})"
    return f"{title}\n{GENERATED}" if data["generated"] else title


def told_of_test(told: Mapping[str, Any]) -> list[str]:
    """What must stand beside scores of a test split that is not the corpus's own, such as ``"test is group Ses05"``.

    Args:
        told: may say under ``test`` where the split came from; what was written before there were groups does not.
    """
    test = told.get("test", OWN)
    return [] if test == OWN else [f"test is {test}"]


def _caption(summary: Mapping[str, Any]) -> str:
    data = summary["dataset"]
    sizes = ", ".join(f"{count:,} {split}" for split, count in data["dialogues"].items() if count)
    text = f"In percent; wF1 weighted F1, mF1 macro F1; std with ddof 1. Dialogues: {sizes}. Dev: {data['dev']}. "
    text += f"Epochs chosen by {NAMES[summary['protocol']['monitor']]}."
    if "selected_on_test" in summary["seeds"][0]:
        text += " Oracle: what choosing the best test epoch would have claimed; gap: by how much more."
    return text


def _notes(summary: Mapping[str, Any]) -> list[str]:
    """The main facts a corpus states of itself, such as the best accuracy that is possible on it, and warnings.

    Those of parts, with the part in brackets, are left to ``summary.json``.
    """
    data = summary["dataset"]
    facts = {name.replace("_", " "): percent(x) for name, x in data["facts"].items() if "[" not in name}
    of_corpus = ["Of this corpus: " + ", ".join(f"{name} {value}" for name, value in facts.items())] if facts else []
    return [*of_corpus, *(f"warning: {warning}" for warning in data.get("warnings", []))]


@dataclass(frozen=True)
class Name:
    """A name in a narrow column, which ends lines after an underscore, a comma or a space alone.

    Attributes:
        text: the name.
        style: as of a :class:`~rich.text.Text`.
    """

    text: str
    style: str = ""

    @property
    def pieces(self) -> list[str]:
        return re.findall(r"[^_, ]+[_, ]*|[_, ]+", self.text)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(max(cell_len(piece) for piece in self.pieces), cell_len(self.text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = [""]
        for piece in self.pieces:
            if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > options.max_width:
                lines.append("")
            lines[-1] += piece
        yield Text("\n".join(line.rstrip() for line in lines), self.style, overflow="fold")


def percent(share: float) -> str:
    return f"{100 * share:.2f}"


def empty_table(title: str | None = None, caption: str | None = None) -> Table:
    """An empty table in this page's manner: narrow enough for 80 columns."""
    return Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
