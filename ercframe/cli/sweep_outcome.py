"""What the commands that train many runs show and keep when they end."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.console import Console

from ercframe.comparison import compare, open_runs
from ercframe.comparison.folds import cross_validated
from ercframe.errors import InputError
from ercframe.groups import DEV_GROUPS
from ercframe.recipes.ablations import FULL
from ercframe.report.comparison_files import write_comparison
from ercframe.report.comparison_table import comparison_table, crossval_table
from ercframe.report.crossval_files import JSON, MARKDOWN, write_crossval
from ercframe.report.sweep_table import best_on_dev, left_rows, score_rows
from ercframe.sweep.folder import SweepFolder
from ercframe.wording import counted

Rows = Sequence[Mapping[str, Any]]


def conclude(folder: SweepFolder, about: Mapping[str, Any], rows: Rows) -> None:
    """Show what came out of the trials, and keep what they say together.

    Args:
        folder: of the sweep.
        about: what ``sweep.json`` says of it.
        rows: its trials.
    """
    console = Console()
    outcome = {"ablation": _ablated, "crossval": _cross_validated}.get(about["kind"], _swept)
    outcome(console, folder, about, rows)
    typer.echo(f"sweep folder: {folder.path}")


def _swept(console: Console, folder: SweepFolder, about: Mapping[str, Any], rows: Rows) -> None:
    _show_scores(console, about, rows)
    if best := best_on_dev(rows):
        settings = " ".join(f"{key}={shlex.quote(value)}" for key, value in best["changes"].items())
        typer.echo(f"best on dev: {best['name']}, {settings}")


def _ablated(console: Console, folder: SweepFolder, about: Mapping[str, Any], rows: Rows) -> None:
    """Every ablation that is finished tested against the full recipe, which the folder keeps."""
    done = {row["name"]: folder.path / row["folder"] for row in rows if row["result"]}
    found = None
    if FULL in done and len(done) > 1:
        try:
            # What is left out may be a part of the data, such as a modality: the turns must be the same, nothing else.
            found = compare(open_runs(list(done.values())), names=list(done), other_data=True)
        except InputError as error:  # such as an ablation that changes the labels
            typer.echo(f"no comparison: {error}", err=True)
    if found is None:
        _show_scores(console, about, rows)
        return
    write_comparison(found, folder.path, {})
    console.print(comparison_table(found))
    console.print(left_rows(rows))


def _cross_validated(console: Console, folder: SweepFolder, about: Mapping[str, Any], rows: Rows) -> None:
    """All folds together, which the folder keeps; scores of single folds while any is missing."""
    missing = [row["name"] for row in rows if not row["result"]]
    if missing:
        _show_scores(console, about, rows)
        of_all = f"{len(missing)} of {counted(len(rows), 'fold')}"
        typer.echo(f"no cross-validation yet: {of_all} not finished ({', '.join(missing)})", err=True)
        return
    runs = open_runs([folder.path / row["folder"] for row in rows])
    found = cross_validated(dict(zip((row["name"] for row in rows), runs, strict=True)))
    next_is_dev = any(DEV_GROUPS in row["changes"] for row in rows)
    found["command"] = _command(about["source"], next_is_dev)
    write_crossval(found, folder.path)
    console.print(crossval_table(found))
    for name in (MARKDOWN, JSON):
        typer.echo(f"written to {folder.path / name}")


def _command(source: Mapping[str, Any], next_is_dev: bool) -> str:
    """What repeats a cross-validation."""
    options = [*(["--next-is-dev"] if next_is_dev else []), *(["--demo"] if source["demo"] else [])]
    options += [part for file in source["plugin_files"] for part in ("--plugin", file)]
    return shlex.join(["ercframe", "crossval", source["recipe"], *source["overrides"], *options])


def _show_scores(console: Console, about: Mapping[str, Any], rows: Rows) -> None:
    console.print(score_rows(about["recipe"], rows))
    console.print(left_rows(rows))
