"""Arguments and options that mean the same in several commands."""

from pathlib import Path
from typing import Annotated

import typer


def newest_run(path: Path) -> Path:
    """The run folder that a path means: of a recipe's folder, its newest finished run, which is then told.

    Whatever else it is, the command that opens it says.
    """
    from ercframe.comparison.newest import run_folder
    from ercframe.errors import InputError

    try:
        found = run_folder(path)
    except InputError:
        return path
    if found != path:
        typer.echo(f"{path}: {found.name}", err=True)
    return found


RunFolderArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run folder, or a recipe's folder: its newest run.", callback=newest_run),
]
RecipeArgument = Annotated[str, typer.Argument(help="A recipe file, or the name of an installed recipe.")]
SeedOfWeights = Annotated[
    int | None, typer.Option("--seed", metavar="N", help="Which seed's weights; the best on dev.")
]
Demo = Annotated[bool, typer.Option("--demo", help="On generated conversations, with the recipe's demo settings.")]
PluginFiles = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE", help="Load a plugin from a file; repeatable.")
]
TrustPlugins = Annotated[bool, typer.Option("--trust-plugins", help="Run the code of plugin files in the run folder.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")]
