"""Command: run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ercframe.errors import InputError
from ercframe.signals import INTERRUPTED, PREEMPTED

if TYPE_CHECKING:
    from rich.console import Console

    from ercframe.ranks import Ranks
    from ercframe.runs import RunFolder

DEFAULT_OUT = Path("runs")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("run")(run)


def run(
    context: typer.Context,
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
    nproc: Annotated[
        int,
        typer.Option(
            "--nproc",
            metavar="N",
            min=1,
            help="Train in N processes on this machine, each on a share of every batch, with a GPU each where there is "
            "CUDA.",
        ),
    ] = 1,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            metavar="N",
            min=1,
            help="Train N seeds at a time on one device, each in a process of its own, which shares cores and memory.",
        ),
    ] = 1,
) -> int:
    """Train and evaluate a recipe over its seeds.

    Exit 0 when done, 1 when it failed, 2 for bad input, 75 when SIGTERM stopped it, 130 when Ctrl-C did; after these
    two, --resume goes on.
    """
    from ercframe.ranks import joined, started_by_launcher

    if anomaly and (nproc > 1 or started_by_launcher()):
        raise InputError("--anomaly looks at one process: leave out --nproc, and start it without torchrun")
    if jobs > 1 and (nproc > 1 or anomaly or started_by_launcher()):
        raise InputError("--jobs trains whole seeds: leave out --nproc and --anomaly, and start it without torchrun")
    if nproc > 1 and not started_by_launcher():
        from ercframe.cli.launch import launch

        return launch(nproc, context.obj)
    unwanted = {"KEY=VALUE": overrides, "--demo": demo, "--plugin": plugin, "--out": out != DEFAULT_OUT}
    with joined() as ranks:
        if resume:
            _require_nothing_else("--resume", unwanted | {"--anomaly": anomaly})
            return _go_on(Path(recipe), ranks, jobs)
        if anomaly and _recipe_of(recipe) != recipe:
            _require_nothing_else("--anomaly", unwanted)
            return _replay(Path(recipe))
        return _begin(_recipe_of(recipe), overrides or [], demo, plugin or [], out, anomaly, ranks, jobs)


def _begin(
    recipe: str,
    overrides: list[str],
    demo: bool,
    plugins: list[Path],
    out: Path,
    anomaly: bool,
    ranks: Ranks,
    jobs: int,
) -> int:
    from ercframe import recipes
    from ercframe.build import assemble
    from ercframe.cli.progress import ConsoleReporter
    from ercframe.execute import execute
    from ercframe.following import follow
    from ercframe.training.anomaly import AnomalyStep
    from ercframe.training.step import Step

    console, errors = _consoles(ranks)
    loaded = recipes.load(recipe, overrides, plugin_files=plugins, demo=demo)
    for notice in loaded.notices:
        errors.print(notice, markup=False)
    experiment = assemble(loaded)
    if not ranks.is_first:
        return _code(follow(experiment, ranks))
    step = AnomalyStep if anomaly else Step
    ended = execute(experiment, out, ConsoleReporter(console), step, ranks, jobs)
    code = _end(console, errors, ranks, jobs, *ended)
    if demo and loaded.recipe.data_help:
        help_text = f"\nTo train on the real corpus:\n{loaded.recipe.data_help}"
        console.print(help_text, markup=False, highlight=False, soft_wrap=True)
    return code


def _go_on(folder: Path, ranks: Ranks, jobs: int) -> int:
    from ercframe.cli.progress import ConsoleReporter
    from ercframe.execute import resume
    from ercframe.following import follow_resumed

    console, errors = _consoles(ranks)
    if not ranks.is_first:
        return _code(follow_resumed(folder, ranks))
    return _end(console, errors, ranks, jobs, *resume(folder, ConsoleReporter(console), ranks, jobs))


def _replay(folder: Path) -> NoReturn:
    from rich.console import Console

    from ercframe.cli.progress import ConsoleReporter
    from ercframe.execute import replay

    replay(folder, ConsoleReporter(Console()))


def _consoles(ranks: Ranks) -> tuple[Console, Console]:
    """For results and for all else; only the first rank has something to say."""
    from rich.console import Console

    quiet = not ranks.is_first
    return Console(quiet=quiet), Console(stderr=True, soft_wrap=True, highlight=False, quiet=quiet)


def _require_nothing_else(option: str, given: dict[str, Any]) -> None:
    """Refuse what would make the rest of a run another run."""
    unwanted = ", ".join(name for name, value in given.items() if value)
    if unwanted:
        raise InputError(
            f"{option} goes on with a run as it began: it takes the run folder alone (got {unwanted}). "
            f"To run with changes, begin a new run: leave {option} out."
        )


def _end(console: Console, errors: Console, ranks: Ranks, jobs: int, folder: RunFolder, summary: dict[str, Any]) -> int:
    """Show the result; the exit code."""
    from ercframe.report import result_table
    from ercframe.stopped import resume_command

    if summary["seeds"]:
        console.print(result_table(summary))
    in_time = summary["status"] != "preempted"
    if ranks.is_first and in_time and not _has_report(folder):
        _write_report(errors, folder)
    console.print(f"run folder: {folder.path}", markup=False, highlight=False, soft_wrap=True)
    if summary["status"] == "interrupted":
        told = (
            "Interrupted: the table holds the epochs that were finished; the run folder can be used."
            if summary["seeds"]
            else "Interrupted before the end of the first epoch: there is no result."
        )
        errors.print(f"{told}\nTo go on: {resume_command(folder, ranks, jobs)}", markup=False)
    if summary["status"] == "preempted":
        errors.print(f"Stopped by SIGTERM.\nTo go on: {resume_command(folder, ranks, jobs)}", markup=False)
    return _code(summary["status"])


def _code(status: str) -> int:
    """The exit code of a run that ended so."""
    return {"interrupted": INTERRUPTED, "preempted": PREEMPTED}.get(status, 0)


def _has_report(folder: RunFolder) -> bool:
    """Whether the report is of this result: a finished run that is only looked at is left as it is."""
    report, summary = folder.path / "report.html", folder.path / "summary.json"
    return report.is_file() and report.stat().st_mtime_ns >= summary.stat().st_mtime_ns


def _write_report(errors: Console, folder: RunFolder) -> None:
    """Write ``report.html``; a run is none the worse for not having one."""
    from ercframe.report.write import write_report

    try:
        write_report(folder.path)
    except Exception as error:
        again = f"ercframe report {shlex.quote(str(folder.path))}"
        told = str(error).partition("\n")[0] or type(error).__name__
        errors.print(f"warning: report.html could not be written: {told}. To try again: {again}", markup=False)


def _recipe_of(given: str) -> str:
    """A run folder stands for the resolved recipe in it, which repeats the run."""
    inside = Path(given) / "recipe.yaml"
    return str(inside) if inside.is_file() else given
