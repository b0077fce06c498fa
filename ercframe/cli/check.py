"""Command: check."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("check")(check)


def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE | KIND/NAME | RECIPE", help="A plugin file, an installed component, or a recipe to look at."
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", help="Settings of the component instead of its examples; of a recipe, its changes."
        ),
    ] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", metavar="FILE", help="Load a plugin from a file; repeatable.")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="The recipe as --demo runs it.")] = False,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")] = None,
) -> int:
    """Find what is wrong: with a recipe, without training it."""
    from ercframe.cli.check_recipe import check_recipe

    return check_recipe(what, settings or [], plugin or [], demo, json)
