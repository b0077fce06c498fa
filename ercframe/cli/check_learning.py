"""Letting a component learn on generated conversations, and showing what it reached beside others."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from ercframe.components import Component
from ercframe.errors import InputError
from ercframe.files import write_json
from ercframe.report.table import GENERATED
from ercframe.testing.yardstick import PEERS, RECIPE, Learnt, Row, learn
from ercframe.wording import WIDTH


def check_learning(
    components: Sequence[type[Component]], settings: Sequence[str], plugin_files: Sequence[Path], to: Path | None
) -> int:
    """Train each component briefly, print the tables and write them where asked to.

    Raises:
        InputError: none of them is of a kind that can be tried, or one does not fit what is around it.
    """
    tried = [component for component in components if component.kind in PEERS]
    if not tried:
        kinds = ", ".join(dict.fromkeys(component.kind for component in components))
        raise InputError(f"--learn needs one of {', '.join(PEERS)} (got {kinds})")
    progress = Console(stderr=True)
    found = []
    with progress.status("") as status:
        for component in tried:
            found.append(
                learn(
                    component,
                    settings=settings,
                    plugin_files=plugin_files,
                    on_step=lambda step: status.update(step) if progress.is_terminal else None,
                )
            )
    for one in found:
        _print(one)
    if to is not None:
        write_json(to, [one.as_json() for one in found])
    return 0


def _print(one: Learnt) -> None:
    typer.echo(f"{one.kind}/{one.name}: {one.verdict()}")
    console = Console()
    console.print(_table(one))
    epochs, seeds = RECIPE["trainer"]["epochs"], RECIPE["protocol"]["seeds"]
    typer.echo(f"{GENERATED}.")
    told = (
        f"Test accuracy in percent after {epochs} epochs, mean of {seeds} seeds; below it, how much that is of the "
        f"best possible for whoever sees one utterance at a time. {one.utterances:,} utterances: one standard error is "
        f"about {100 * (0.25 / one.utterances) ** 0.5:.1f}."
    )
    typer.echo(textwrap.fill(told, WIDTH))


def _table(one: Learnt) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    table.add_column("modalities", no_wrap=True)
    names = (name.replace("_", "_\n") for name in one.names)  # a long one may break there, and nowhere else
    for name in ("best, by\nutterance", "best, by\ndialogue", *names):
        table.add_column(name, justify="right", no_wrap=True)
    for row in one.rows:
        table.add_row("+".join(row.modalities), *_cells(row, one.names))
    return table


def _cells(row: Row, names: Sequence[str]) -> Iterator[str]:
    yield f"{100 * row.best_alone:.1f}"
    yield f"{100 * row.best_dialogue:.1f}"
    for name in names:
        yield f"{100 * row.mean(name):.1f}\n{100 * row.mean(name) / row.best_alone:.0f} %"
