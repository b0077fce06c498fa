"""Command: compare."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ercframe.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from ercframe.comparison import FinishedRun


class Metric(StrEnum):
    """Scores that can be tested."""

    weighted_f1 = "weighted_f1"
    accuracy = "accuracy"
    macro_f1 = "macro_f1"


class Test(StrEnum):
    """Where p-values come from."""

    bootstrap = "bootstrap"
    randomisation = "randomisation"
    mcnemar = "mcnemar"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("compare")(compare)


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN…", help="Run folders, or a recipe's folder: its newest finished run."),
    ],
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="RUN", help="The run the others are tested against; the first if left out."),
    ] = None,
    metric: Annotated[Metric, typer.Option("--metric", help="The score that is tested.")] = Metric.weighted_f1,
    test: Annotated[Test, typer.Option("--test", help="Where p-values come from.")] = Test.bootstrap,
    hold_seeds: Annotated[
        bool,
        typer.Option("--hold-seeds", help="Ask about these trained models, not about training the recipes again."),
    ] = False,
    other_data: Annotated[
        bool, typer.Option("--other-data", help="Compare runs on different data with the same turns of test, too.")
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="What to call each run, in their order; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write comparison.md, .tex, .csv and .json here.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the tables as Markdown.")
    ] = None,
    latex: Annotated[Path | None, typer.Option("--latex", metavar="FILE", help="Write a table as LaTeX.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write all numbers as CSV.")] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON.")] = None,
) -> None:
    """Compare runs: scores with intervals, tests against a baseline, and what selection on test would have claimed."""
    from rich.console import Console

    from ercframe.report.comparison_files import write_comparison
    from ercframe.report.comparison_table import comparison_table

    console = Console()
    opened, first = open_named(runs, baseline, console)
    found = compared(opened, first, metric, test, name, hold_seeds, other_data)
    console.print(comparison_table(found))
    asked = {"markdown": markdown, "latex": latex, "csv": csv, "json": json}
    for path in write_comparison(found, out, asked):
        console.print(f"written to {path}", markup=False, highlight=False, soft_wrap=True)


def open_named(runs: list[Path], baseline: Path | None, console: Console) -> tuple[list[FinishedRun], int]:
    """The runs that paths name, and which of them is the baseline; one that is not among them is put first.

    Says which run a recipe's folder stands for.
    """
    from ercframe.comparison import open_runs
    from ercframe.comparison.newest import run_folder

    folders = {path: run_folder(path) for path in ([baseline] if baseline else []) + runs}
    for path, folder in folders.items():
        if folder != path:
            console.print(f"{path}: {folder.name}", markup=False, highlight=False, soft_wrap=True)
    given = list(dict.fromkeys(folders[path] for path in runs))
    if baseline and folders[baseline] not in given:
        given.insert(0, folders[baseline])
    return open_runs(given), given.index(folders[baseline]) if baseline else 0


def compared(
    runs: list[FinishedRun],
    baseline: int,
    metric: Metric,
    test: Test,
    names: list[str] | None,
    hold_seeds: bool = False,
    other_data: bool = False,
) -> dict[str, Any]:
    """Compare what the command line named."""
    from ercframe.comparison import compare as compare_runs

    if names and len(names) != len(runs):
        raise InputError(f"--name must be given for each of the {len(runs)} runs, or never (got {len(names)})")
    return compare_runs(
        runs,
        baseline=baseline,
        metric=metric.value,
        test=test.value,
        draw_seeds=not hold_seeds,
        other_data=other_data,
        names=names,
    )
