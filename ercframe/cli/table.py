"""Command: table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ercframe.cli.compare import Metric, Test
from ercframe.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("table")(table)


def table(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN…", help="Run folders, or a recipe's folder: its newest run; or that of crossval."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="PAGE", help="Write the tables into this Markdown file.")
    ] = None,
    marker: Annotated[
        str | None,
        typer.Option("--marker", metavar="NAME", help="Between its lines <!-- table NAME --> and <!-- end of … -->."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="RUN", help="As of compare: the first run if left out.")
    ] = None,
    metric: Annotated[Metric, typer.Option("--metric", help="As of compare.")] = Metric.weighted_f1,
    test: Annotated[Test, typer.Option("--test", help="As of compare.")] = Test.bootstrap,
    name: Annotated[
        list[str] | None, typer.Option("--name", metavar="NAME", help="As of compare: what to call each run.")
    ] = None,
) -> None:
    """Write the tables of a page from run folders, with the commands that made them.

    Without RUN, the tables of PAGE are written anew from results/NAME.json beside it, where each table's results are.
    """
    from rich.console import Console

    from ercframe.cli.compare import compared, open_named
    from ercframe.comparison.command import command
    from ercframe.files import write_text
    from ercframe.report.crossval_files import JSON as CROSSVAL
    from ercframe.report.crossval_files import read_crossval
    from ercframe.report.tables_in_pages import put, renewed, results_file, tables

    if not runs:
        if into is None or marker is not None:
            raise InputError("table must be given run folders, or --into PAGE alone, to write its tables anew")
        write_text(into, renewed(into))
        return
    if (into is None) != (marker is None):
        raise InputError(f"--into and --marker go together (got --{'marker' if into is None else 'into'} alone)")
    console = Console(stderr=True)  # the tables themselves go to standard output
    if any((run / CROSSVAL).is_file() for run in runs):
        if len(runs) > 1 or baseline or name:
            raise InputError(
                "a cross-validation has tables of its own: give its folder alone, without --baseline and --name"
            )
        found = read_crossval(runs[0])
    else:
        opened, first = open_named(runs, baseline, console)
        found = compared(opened, first, metric, test, name)
        for entry, run in zip(found["runs"], opened, strict=True):
            entry["command"] = command(run)
    if into is None or marker is None:
        typer.echo(tables(found), nl=False)
        return
    put(into, marker, found)
    for path in (results_file(into, marker), into):
        console.print(f"written to {path}", markup=False, highlight=False, soft_wrap=True)
