"""Command: ablate."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("ablate")(ablate)


def ablate(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of an installed recipe.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", help="Changes of the recipe and all its ablations, such as trainer.epochs=40."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="This ablation, beside the full recipe; repeatable."),
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Instead of protocol.seeds.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the folder of all runs goes.")] = Path(
        "runs"
    ),
    name: Annotated[
        str | None, typer.Option("--name", help="What that folder is called; RECIPE-ablations where it is left out.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Runs at a time; they share the processor cores.")] = 1,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="On generated conversations, with the recipe's demo settings.")
    ] = False,
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", metavar="FILE", help="Load a plugin from a file; repeatable.")
    ] = None,
) -> int:
    """Train a recipe, and once for every ablation that its `ablations:` names.

    The same command again goes on: what is finished is kept, what was interrupted is resumed. Exit 0 when all are
    done, 1 when one failed, 2 for bad input, 75 when SIGTERM stopped it, 130 when Ctrl-C did.
    """
    from ercframe.cli.sweep_run import train_all
    from ercframe.recipes.ablations import FULL
    from ercframe.sweep.ablations import ablations
    from ercframe.sweep.folder import SweepFolder
    from ercframe.sweep.plan import Source, plan, without_repeats

    changes = [*(overrides or []), *([f"protocol.seeds={seeds}"] if seeds else [])]
    source = Source(recipe, tuple(changes), tuple(plugin or []), demo)
    loaded = source.load({})
    settings, notices = ablations(source, only or [])
    trials, repeats = without_repeats(plan(source, settings))
    for notice in (*loaded.notices, *notices, *repeats):
        typer.echo(notice, err=True)
    folder = SweepFolder.create(out / (name or f"{loaded.recipe.name}-ablations"))
    about = {"kind": "ablation", "recipe": loaded.recipe.name}
    return train_all(folder, trials, about, jobs=jobs, retry_failed=retry_failed, compared_with=FULL)
