"""Command: bench."""

from pathlib import Path
from typing import Annotated

import typer

from ercframe.cli.options import Demo, JsonFile, PluginFiles, RecipeArgument


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("bench")(bench)


def bench(
    recipe: RecipeArgument,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Changes, such as encoder.width=256.")
    ] = None,
    demo: Demo = False,
    against: Annotated[
        str | None, typer.Option("--against", metavar="NAME", help="A yardstick to measure in turns with the recipe.")
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option("--precision", metavar="NAME", help="Instead of trainer.precision; repeat it to compare several."),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="WHAT",
            help="Cost as it grows instead: length, modalities, batch or corpus; repeatable.",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="Turns that each subject gets.")] = 5,
    steps: Annotated[int, typer.Option("--steps", metavar="N", min=1, help="Training steps in a turn.")] = 4,
    plugin: PluginFiles = None,
    json: JsonFile = None,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw the result of --sweep.")] = None,
) -> int:
    """Measure how fast a recipe trains: speed, where the time goes, memory, share of the machine's own rate."""
    if sweep:
        from ercframe.cli.bench_growth import measure_growth

        return measure_growth(recipe, overrides or [], plugin or [], sweep, json, svg)
    from ercframe.cli.bench_table import measure

    return measure(recipe, overrides or [], plugin or [], demo, against, precision or [], rounds, steps, json)
