"""Commands: ablate and sweep."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ercframe.cli.options import Demo, PluginFiles, RecipeArgument
from ercframe.errors import InputError


class EngineName(StrEnum):
    """What can run trials."""

    local = "local"
    ray = "ray"


Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Changes that hold for all trials, such as trainer.epochs=40."),
]
Seeds = Annotated[int | None, typer.Option("--seeds", metavar="N", min=1, help="Instead of protocol.seeds.")]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the folder of all runs goes.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        help="Trials at a time: 1 with --engine local, whose cores they share; with ray all that fit.",
    ),
]
Engine = Annotated[EngineName, typer.Option("--engine", help="local: processes on this machine. ray: a Ray cluster.")]
Cpus = Annotated[
    int, typer.Option("--cpus", metavar="N", min=1, help="With ray: CPUs that a trial reserves, and its threads.")
]
Gpus = Annotated[
    float, typer.Option("--gpus", metavar="N", min=0, help="With ray: GPUs that a trial reserves, or a part of one.")
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", metavar="HOST:PORT", help="A running cluster; without it Ray starts here, alone."),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")]
DEFAULT_OUT = Path("runs")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("ablate")(ablate)
    app.command("crossval")(crossval)
    app.command("sweep")(sweep)


def ablate(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="This ablation, beside the full recipe; repeatable."),
    ] = None,
    seeds: Seeds = None,
    out: Out = DEFAULT_OUT,
    name: Annotated[
        str | None, typer.Option("--name", help="What that folder is called; RECIPE-ablations where it is left out.")
    ] = None,
    jobs: Jobs = None,
    engine: Engine = EngineName.local,
    cpus: Cpus = 1,
    gpus: Gpus = 0.0,
    ray_address: RayAddress = None,
    retry_failed: RetryFailed = False,
    demo: Demo = False,
    plugin: PluginFiles = None,
) -> int:
    """Train a recipe, and once for everything that its `ablations:` takes out, and compare them.

    The same command again goes on: what is finished is kept, what was interrupted is resumed. Exit 0 when all are
    done, 1 when one failed, 2 for bad input, 75 when SIGTERM stopped it, 130 when Ctrl-C did.
    """
    from ercframe.cli import sweep_run
    from ercframe.sweep.plan import Source

    source = Source(recipe, _changes(overrides, seeds), tuple(plugin or []), demo)
    return sweep_run.ablate(
        source, only or [], out, name, sweep_run.How(jobs, retry_failed, engine.value, cpus, gpus, ray_address)
    )


def crossval(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    next_is_dev: Annotated[
        bool,
        typer.Option(
            "--next-is-dev",
            help="Dev is the group after the one that is test, instead of a share of the dialogues of all others.",
        ),
    ] = False,
    seeds: Seeds = None,
    out: Out = DEFAULT_OUT,
    name: Annotated[
        str | None, typer.Option("--name", help="What that folder is called; RECIPE-crossval where it is left out.")
    ] = None,
    jobs: Jobs = None,
    engine: Engine = EngineName.local,
    cpus: Cpus = 1,
    gpus: Gpus = 0.0,
    ray_address: RayAddress = None,
    retry_failed: RetryFailed = False,
    demo: Demo = False,
    plugin: PluginFiles = None,
) -> int:
    """Train a recipe once for every group of its corpus, such as a recording session, which is test there.

    The same command again goes on: what is finished is kept, what was interrupted is resumed. Exit 0 when all are
    done, 1 when one failed, 2 for bad input, 75 when SIGTERM stopped it, 130 when Ctrl-C did.
    """
    from ercframe.cli import sweep_run
    from ercframe.sweep.plan import Source

    source = Source(recipe, _changes(overrides, seeds), tuple(plugin or []), demo)
    return sweep_run.crossval(
        source, next_is_dev, out, name, sweep_run.How(jobs, retry_failed, engine.value, cpus, gpus, ray_address)
    )


def sweep(
    recipe: Annotated[
        str, typer.Argument(help="A recipe file, or the name of an installed recipe; with --resume a sweep's folder.")
    ],
    overrides: Overrides = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="KEY=VALUE,VALUE",
            help="Values to try, items of a YAML list; of several keys every combination; repeatable.",
        ),
    ] = None,
    search: Annotated[
        Path | None,
        typer.Option("--search", metavar="SPACE.yaml", help="Let Optuna propose settings from this space instead."),
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", metavar="N", min=1, help="With --search: settings to try in all.")
    ] = 20,
    objective: Annotated[
        str, typer.Option("--objective", help="With --search: the score to maximise, mean over seeds; one of dev.")
    ] = "dev.weighted_f1",
    search_seed: Annotated[
        int, typer.Option("--search-seed", metavar="N", min=0, help="With --search: of the proposals.")
    ] = 0,
    prune_after: Annotated[
        int | None,
        typer.Option(
            "--prune-after",
            metavar="EPOCHS",
            min=1,
            help="With --search: from this epoch of the first seed on, give up a trial whose best dev score is below "
            "the median of the others; left out, all are trained to their end.",
        ),
    ] = None,
    seeds: Seeds = None,
    out: Out = DEFAULT_OUT,
    name: Annotated[
        str | None,
        typer.Option("--name", help="What that folder is called; RECIPE-sweep or RECIPE-search if left out."),
    ] = None,
    jobs: Jobs = None,
    engine: Engine = EngineName.local,
    cpus: Cpus = 1,
    gpus: Gpus = 0.0,
    ray_address: RayAddress = None,
    retry_failed: RetryFailed = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the sweep in a folder, as it was begun.")
    ] = False,
    demo: Demo = False,
    plugin: PluginFiles = None,
) -> int:
    """Train a recipe under every combination of settings, or under those that Optuna proposes, with all its seeds.

    The same command again goes on: what is finished is kept, what was interrupted is resumed. Exit 0 when all are
    done, 1 when one failed, 2 for bad input, 75 when SIGTERM stopped it, 130 when Ctrl-C did.
    """
    from ercframe.cli import sweep_run
    from ercframe.sweep.plan import Source

    how = sweep_run.How(jobs, retry_failed, engine.value, cpus, gpus, ray_address)
    if resume:
        given: dict[str, object] = {
            "KEY=VALUE": overrides,
            "--grid": grid,
            "--search": search,
            "--prune-after": prune_after,
        }
        given |= {"--seeds": seeds, "--name": name, "--demo": demo, "--plugin": plugin}
        unwanted = ", ".join(option for option, value in given.items() if value)
        if unwanted:
            raise InputError(f"--resume goes on with a sweep as it began: it takes its folder (got also {unwanted})")
        return sweep_run.resume(Path(recipe), how)
    if bool(grid) == (search is not None):
        raise InputError(
            "either --grid or --search must be given, such as --grid fusion.type=concat,gated "
            f"(got {'both' if grid else 'neither'}); for one setting: ercframe run"
        )
    source = Source(recipe, _changes(overrides, seeds), tuple(plugin or []), demo)
    if search is not None:
        return sweep_run.search(source, search, trials, objective, search_seed, out, name, how, prune_after)
    if prune_after is not None:
        raise InputError("--prune-after needs --search: the trials of a grid are all trained to their end")
    return sweep_run.sweep(source, grid or [], out, name, how)


def _changes(overrides: list[str] | None, seeds: int | None) -> tuple[str, ...]:
    return (*(overrides or []), *([f"protocol.seeds={seeds}"] if seeds else []))
