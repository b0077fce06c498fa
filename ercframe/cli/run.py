"""Command: run."""

from pathlib import Path
from typing import Annotated

import typer


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
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where run folders go.")] = Path("runs"),
) -> int:
    """Train and evaluate a recipe over its seeds; exit 0 when done, 1 when it failed, 2 for bad input."""
    from rich.console import Console

    from ercframe import recipes
    from ercframe.build import assemble
    from ercframe.cli.progress import ConsoleReporter
    from ercframe.execute import execute
    from ercframe.report import result_table

    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    loaded = recipes.load(_recipe_of(recipe), overrides or [], plugin_files=plugin or [], demo=demo)
    for notice in loaded.notices:
        errors.print(notice, markup=False)
    console = Console()
    folder, summary = execute(assemble(loaded), out, ConsoleReporter(console))
    if summary["seeds"]:
        console.print(result_table(summary))
    console.print(f"run folder: {folder.path}", markup=False, highlight=False, soft_wrap=True)
    if demo and loaded.recipe.data_help:
        help_text = f"\nTo train on the real corpus:\n{loaded.recipe.data_help}"
        console.print(help_text, markup=False, highlight=False, soft_wrap=True)
    if summary["status"] == "interrupted":
        errors.print(
            "Interrupted: the table holds the epochs that were finished; the run folder can be used."
            if summary["seeds"]
            else "Interrupted before the end of the first epoch: there is no result."
        )
        return 130
    return 0


def _recipe_of(given: str) -> str:
    """A run folder stands for the resolved recipe in it, which repeats the run."""
    inside = Path(given) / "recipe.yaml"
    return str(inside) if inside.is_file() else given
