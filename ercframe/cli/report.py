"""Command: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ercframe.cli.options import newest_run


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("report")(report)


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="A run folder, or several; of a recipe's folder its newest run."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Where the page goes: RUN/report.html if left out, or comparison.html."
        ),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="FOLDER", help="Write every figure here, too, as SVG and PDF.")
    ] = None,
    maps: Annotated[
        str, typer.Option("--maps", metavar="WAY", help="Representations on a plane: pca, or tsne (extra 'report').")
    ] = "pca",
    dialogue: Annotated[
        list[str] | None,
        typer.Option("--dialogue", metavar="ID", help="A test dialogue to show instead of the worst; repeatable."),
    ] = None,
) -> None:
    """Write a run, or several side by side, as one HTML page that needs no network."""
    from ercframe.errors import InputError
    from ercframe.files import write_text
    from ercframe.report.contents import Choices
    from ercframe.report.html import html
    from ercframe.report.projection import WAYS
    from ercframe.report.write import read_page, write_figures

    if maps not in WAYS:
        raise InputError(f"--maps must be {' or '.join(WAYS)} (got '{maps}')")
    runs = [newest_run(run) for run in runs]
    page = read_page(runs, Choices(maps, tuple(dialogue or ())))
    path = out or (runs[0] / "report.html" if len(runs) == 1 else Path("comparison.html"))
    write_text(path, html(page))
    typer.echo(f"written to {path}")
    if figures:
        typer.echo(f"{len(write_figures(page, figures))} files written to {figures}")
