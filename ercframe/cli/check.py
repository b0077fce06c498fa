"""Command: check."""

from pathlib import Path
from typing import Annotated

import typer

from ercframe.cli.options import JsonFile, PluginFiles


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("check")(check)


def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE | KIND/NAME | RECIPE",
            help="A plugin file, whose components are checked; an installed component; or a recipe.",
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", help="Settings of the component, instead of its examples; of a recipe, its changes."
        ),
    ] = None,
    plugin: PluginFiles = None,
    json: JsonFile = None,
    badge: Annotated[
        Path | None, typer.Option("--badge", metavar="FILE.svg", help="Write a badge for a README.")
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option("--except", metavar="NAME=REASON", help="A check that is known to fail, and why; repeatable."),
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="The slow checks, too, such as torch.compile.")] = False,
    learn: Annotated[
        bool,
        typer.Option(
            "--learn", help="Train it briefly on generated conversations instead, beside others of its kind: a minute."
        ),
    ] = False,
    modalities: Annotated[
        str, typer.Option("--modalities", metavar="NAME,NAME", help="What a dataset is asked for.")
    ] = "text,audio,visual",
    demo: Annotated[bool, typer.Option("--demo", help="A recipe as --demo runs it.")] = False,
) -> int:
    """Find what is wrong with a plugin, a component or a recipe before it costs a run.

    A component is tried on awkward conversations of one, two and three modalities. A recipe is read, its data
    opened, its parts built and probed, as `run` does before it trains, and it is said what would be trained.

    With --learn an encoder, a fusion or a classifier is trained on generated conversations of every set of
    modalities, and shown beside the best accuracy that is possible and beside others of its kind.

    Exits with 1 where a check fails, with 2 where something cannot be loaded or would be refused.
    """
    from ercframe import plugins
    from ercframe.cli.catalogue import refuse_half_a_name
    from ercframe.cli.check_components import check_components
    from ercframe.cli.check_learning import check_learning
    from ercframe.cli.check_recipe import check_recipe
    from ercframe.cli.check_targets import components_of, exceptions_of, is_component, is_file, settings_of

    files, given = plugin or [], settings or []
    if not (is_file(what) or is_component(what)):
        refuse_half_a_name(what, plugins.load(files))
        return check_recipe(what, given, files, demo, json)
    components = components_of(what, files, given)
    if learn:
        return check_learning(components, given, [*files, *([Path(what)] if is_file(what) else [])], json)
    return check_components(
        what,
        components,
        settings=settings_of(components[0], given),
        exceptions=exceptions_of(known or [], components),
        modalities=modalities.split(","),
        slow=slow,
        to_json=json,
        to_badge=badge,
    )
