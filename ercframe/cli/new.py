"""Command: new."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("new")(new)


def new(
    kind: Annotated[str, typer.Argument(help="encoder, fusion, loss, …")],
    name: Annotated[str, typer.Argument(help="What recipes will call it, such as my_gate.")],
    package: Annotated[
        bool, typer.Option("--package", help="A whole distribution: tests, documentation, a recipe, CI.")
    ] = False,
    into: Annotated[Path, typer.Option("--into", metavar="FOLDER", help="Where to make it.")] = Path(),
) -> None:
    """Start a new component: one file with its test, or a package. It works at once; edit from there."""
    from ercframe import plugins
    from ercframe.scaffold import make

    made = make(kind, name, plugins.load(), into=into, package=package)
    typer.echo(f"Made {' and '.join(map(str, made.paths))}. Next:\n")
    for command in made.commands:
        typer.echo(f"  {command}")
