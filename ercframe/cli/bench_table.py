"""Running measurements and printing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from ercframe import recipes
from ercframe.bench.compare import compare
from ercframe.bench.subject import PARTS
from ercframe.bench.worker import Task
from ercframe.build import Experiment, assemble
from ercframe.errors import InputError
from ercframe.files import write_json
from ercframe.training.device import choose_device
from ercframe.training.precision import Precision
from ercframe.wording import counted


def measure(
    source: str,
    overrides: Sequence[str],
    plugin_files: Sequence[Path],
    demo: bool,
    yardstick: str | None,
    precisions: Sequence[str],
    rounds: int,
    steps: int,
    to: Path | None,
) -> int:
    """Measure a recipe, in several precisions and against a yardstick where asked for; print a table.

    Raises:
        InputError: something is wrong with the recipe, or the yardstick does not implement it.
    """
    settings = [[*overrides, *([f"trainer.precision={name}"] if name else [])] for name in precisions or [""]]
    names: dict[str, Task] = {}
    if yardstick:
        names[yardstick] = Task(source, tuple(settings[0]), tuple(plugin_files), demo, yardstick, _threads())
    for changes in settings:  # each is checked here, before a process is started for it
        experiment = assemble(recipes.load(source, changes, plugin_files=list(plugin_files), demo=demo))
        trainer = experiment.loaded.recipe.trainer
        used = Precision.choose(trainer.precision, choose_device(trainer.device)).name
        names[f"ercframe, {used}"] = Task(source, tuple(changes), tuple(plugin_files), demo, None, _threads())
    if yardstick:
        _require_fit(experiment, yardstick)
    for notice in experiment.loaded.notices:
        typer.echo(notice, err=True)
    found = compare(names, rounds, steps) | {
        "recipe": experiment.loaded.recipe.name,
        "overrides": list(overrides),
        "corpus": experiment.info.name,
        "epoch_utterances": sum(map(len, experiment.splits.train)),
    }
    _print(found)
    if to is not None:
        write_json(to, found)
    return 0


def _threads() -> int:
    return torch.get_num_threads()


def _require_fit(experiment: Experiment, name: str) -> None:
    """Build the yardstick without memory, to hear now what it has against the recipe."""
    make: Any = experiment.loaded.registry.get("yardstick", name)
    try:
        with torch.device("meta"):
            make(make.Config(), experiment.info, experiment.loaded.recipe)
    except ValueError as error:
        raise InputError(f"--against must implement the recipe: {error}") from error


def _print(found: Mapping[str, Any]) -> None:
    console = Console(soft_wrap=True)
    on = found["machine"]
    rounds, steps = counted(found["rounds"], "round"), counted(found["steps"], "step")
    typer.echo(
        f"{found['recipe']} on {found['corpus']}: {rounds} of {steps}, in turns; "
        f"{on['gpu'] or on['processor']}, {counted(on['threads'], 'thread')}, PyTorch {on['torch']}"
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for name in found["subjects"]:
        table.add_column(name, justify="right")
    for title, show in _rows(found["epoch_utterances"]).items():
        table.add_row(title, *(show(one) for one in found["subjects"].values()))
    console.print(table)
    for name, ratio in found["ratios"].items():
        whole, rest, processor = ratio["all"], ratio["without_optimizer"], ratio["processor"]
        typer.echo(
            f"{name}: {whole['median']:.2f} times as fast ({whole['least']:.2f} to {whole['most']:.2f}); "
            f"without the optimizer {rest['median']:.2f} ({rest['least']:.2f} to {rest['most']:.2f}); "
            f"in processor time {processor['median']:.2f} ({processor['least']:.2f} to {processor['most']:.2f})"
        )
    loads = [load for load in found["load_average"] if load is not None]
    if loads:
        typer.echo(f"load average while measuring: {min(loads)} to {max(loads)}")


def _rows(epoch_utterances: int) -> dict[str, Callable[[Any], str]]:
    """What the table says of each subject."""
    parts = {f"{part}, s a step": partial(_part, part) for part in PARTS}
    return {
        "utterances a second": lambda one: f"{one['utterances_per_second']['median']:,.0f}",
        "epoch, s": lambda one: f"{epoch_utterances / one['utterances_per_second']['median']:.1f}",
        **parts,
        "processor time, s a step": lambda one: f"{one['step_processor_seconds']:.3f}",
        "operations a step": lambda one: f"{sum(one['step_operations'].values()):,}",
        "memory, MiB": lambda one: f"{one['peak_bytes'] / 2**20:,.0f}",
        "GFLOP/s": lambda one: f"{one['flops_per_second'] / 1e9:,.0f}",
        "matrix products alone, GFLOP/s": lambda one: f"{one['matmul_flops_per_second'] / 1e9:,.0f}",
        "share of that": lambda one: f"{100 * one['share_of_matmul']:.0f} %",
    }


def _part(part: str, one: Mapping[str, Any]) -> str:
    return f"{one['step_seconds'][part]:.3f}"
