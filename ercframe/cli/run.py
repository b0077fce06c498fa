"""Command: run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ercframe.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from ercframe.runs import RunFolder

DEFAULT_OUT = Path("runs")

PREEMPTED = 75
"""Exit code after SIGTERM: EX_TEMPFAIL of sysexits.h, "try again later", on which schedulers may put a job back."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("run")(run)


def run(
    recipe: Annotated[str, typer.Argument(help="A recipe file, the name of an installed recipe, or a run folder.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Changes, such as trainer.epochs=40.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Train on generated conversations, with the recipe's demo settings.")
    ] = False,
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", metavar="FILE", help="Load a plugin from a file; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where run folders go.")] = DEFAULT_OUT,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in a run folder, to the end it would have come to.")
    ] = False,
    anomaly: Annotated[
        bool,
        typer.Option(
            "--anomaly",
            help="Find the operation that makes a loss or gradient NaN or infinite: while training, which is slower, "
            "or in a run folder whose loss diverged, by repeating its end.",
        ),
    ] = False,
) -> int:
    """Train and evaluate a recipe over its seeds.

    Exit 0 when done, 1 when it failed, 2 for bad input, 75 when SIGTERM stopped it, 130 when Ctrl-C did; after these
    two, --resume goes on.
    """
    from rich.console import Console

    from ercframe.cli.progress import ConsoleReporter

    console, errors = Console(), Console(stderr=True, soft_wrap=True, highlight=False)
    reporter = ConsoleReporter(console)
    unwanted = {"KEY=VALUE": overrides, "--demo": demo, "--plugin": plugin, "--out": out != DEFAULT_OUT}
    if resume:
        _require_nothing_else("--resume", unwanted | {"--anomaly": anomaly})
        from ercframe.execute import resume as go_on

        return _end(console, errors, *go_on(Path(recipe), reporter))

    from ercframe import recipes
    from ercframe.build import assemble
    from ercframe.execute import execute, replay
    from ercframe.training.anomaly import AnomalyStep
    from ercframe.training.step import Step

    if anomaly and _recipe_of(recipe) != recipe:
        _require_nothing_else("--anomaly", unwanted)
        replay(Path(recipe), reporter)
    loaded = recipes.load(_recipe_of(recipe), overrides or [], plugin_files=plugin or [], demo=demo)
    for notice in loaded.notices:
        errors.print(notice, markup=False)
    code = _end(console, errors, *execute(assemble(loaded), out, reporter, AnomalyStep if anomaly else Step))
    if demo and loaded.recipe.data_help:
        help_text = f"\nTo train on the real corpus:\n{loaded.recipe.data_help}"
        console.print(help_text, markup=False, highlight=False, soft_wrap=True)
    return code


def _require_nothing_else(option: str, given: dict[str, Any]) -> None:
    """Refuse what would make the rest of a run another run."""
    unwanted = ", ".join(name for name, value in given.items() if value)
    if unwanted:
        raise InputError(
            f"{option} goes on with a run as it began: it takes the run folder alone (got {unwanted}). "
            f"To run with changes, begin a new run: leave {option} out."
        )


def _end(console: Console, errors: Console, folder: RunFolder, summary: dict[str, Any]) -> int:
    """Show the result; the exit code."""
    from ercframe.execute import resume_command
    from ercframe.report import result_table

    if summary["seeds"]:
        console.print(result_table(summary))
    console.print(f"run folder: {folder.path}", markup=False, highlight=False, soft_wrap=True)
    if summary["status"] == "interrupted":
        told = (
            "Interrupted: the table holds the epochs that were finished; the run folder can be used."
            if summary["seeds"]
            else "Interrupted before the end of the first epoch: there is no result."
        )
        errors.print(f"{told}\nTo go on: {resume_command(folder)}", markup=False)
        return 130
    if summary["status"] == "preempted":
        errors.print(f"Stopped by SIGTERM.\nTo go on: {resume_command(folder)}", markup=False)
        return PREEMPTED
    return 0


def _recipe_of(given: str) -> str:
    """A run folder stands for the resolved recipe in it, which repeats the run."""
    inside = Path(given) / "recipe.yaml"
    return str(inside) if inside.is_file() else given
