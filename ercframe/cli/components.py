"""Commands about what there is to choose from: list, show, schema."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ercframe.cli.options import PluginFiles


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("list")(list_components)
    app.command("show")(show)
    app.command("schema")(schema)


def list_components(
    kind: Annotated[
        str | None, typer.Argument(help="encoder, fusion, loss, …, or recipe; everything if left out.")
    ] = None,
    plugin: PluginFiles = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the tracebacks of plugins that failed to load.")
    ] = False,
) -> None:
    """List the components and recipes there are, and where they come from."""
    from rich.console import Console

    from ercframe import plugins
    from ercframe.cli import catalogue

    registry = plugins.load(plugin or [])
    catalogue.print_list(Console(), registry, kind)
    catalogue.print_failures(registry, verbose)


def show(
    what: Annotated[str, typer.Argument(metavar="KIND/NAME | RECIPE", help="A component, or a recipe to resolve.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Changes of the recipe, as for run.")
    ] = None,
    plugin: PluginFiles = None,
    demo: Annotated[bool, typer.Option("--demo", help="The recipe as --demo runs it.")] = False,
) -> None:
    """Explain a component and its settings, or print a recipe with every default filled in."""
    from rich.console import Console

    from ercframe import plugins
    from ercframe.cli import catalogue
    from ercframe.components import KINDS
    from ercframe.recipes import load

    kind, slash, name = what.partition("/")
    if slash and kind in KINDS and not Path(what).exists():
        catalogue.print_component(Console(), plugins.load(plugin or []).entry(kind, name))
        return
    catalogue.refuse_half_a_name(what, plugins.load(plugin or []))
    loaded = load(what, overrides or [], plugin_files=plugin or [], demo=demo)
    for notice in loaded.notices:
        typer.echo(notice, err=True)
    typer.echo(loaded.recipe.to_yaml(), nl=False)


def schema(
    plugin: PluginFiles = None,
    of: Annotated[
        Literal["recipes", "conversations"],
        typer.Option("--for", help="recipes, or one line of a conversation file."),
    ] = "recipes",
) -> None:
    """Print the JSON Schema of recipes, or of conversation files, with which editors complete and check them."""
    import json

    from ercframe import plugins
    from ercframe.data.turn import conversation_schema
    from ercframe.recipes.schema import recipe_schema

    found = conversation_schema() if of == "conversations" else recipe_schema(plugins.load(plugin or []))
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
