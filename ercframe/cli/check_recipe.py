"""Checking a recipe: all that ``run`` would refuse, and what it would train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from ercframe import recipes
from ercframe.build import Experiment, assemble
from ercframe.errors import InputError
from ercframe.files import write_json
from ercframe.preflight import Preflight, preflight
from ercframe.protocol import described
from ercframe.report.table import GENERATED
from ercframe.wording import counted, hanging

FORMAT = 1
"""Version of what ``--json`` writes; raised when a key changes its meaning or goes away."""


def check_recipe(
    source: str, overrides: Sequence[str], plugin_files: Sequence[Path], demo: bool, to: Path | None
) -> int:
    """Do everything that comes before training, and say what would be trained.

    Raises:
        InputError: ``run`` would refuse the recipe; what is wrong is also written to ``to``.
    """
    try:
        loaded = recipes.load(source, overrides, plugin_files=plugin_files, demo=demo)
        for notice in loaded.notices:
            typer.echo(notice, err=True)
        experiment = assemble(loaded)
        found = preflight(experiment)
    except InputError as error:
        if to is not None:
            write_json(to, _refused(error, source))
        raise
    for line in _told(experiment, found):
        typer.echo(line)
    if to is not None:
        write_json(to, _plan(experiment, found, source))
    return 0


def _told(experiment: Experiment, found: Preflight) -> Iterator[str]:
    recipe, info, splits = experiment.loaded.recipe, experiment.info, experiment.splits
    trainer, seeds = recipe.trainer, recipe.protocol.seed_list()
    widths = ", ".join(f"{name} {width}" for name, width in info.modalities.items())
    patience = "" if trainer.patience is None else f", fewer after {trainer.patience} without a better one"
    batch = f"batches of {counted(trainer.batch_dialogues, 'dialogue')}"
    if trainer.accumulate > 1:
        batch += f", {trainer.accumulate} in a step"
    parts = ", ".join(f"{slot} {count:,}" for slot, count in found.parameters.items() if count)
    sizes = f"{len(splits.train)} train, {len(splits.dev)} dev, {len(splits.test)} test"
    yield f"{recipe.name} can be trained."
    rows = [
        ("data", f"{info.name}: {widths}; {counted(len(info.labels), 'emotion')}"),
        *([("", GENERATED)] if info.generated else []),
        ("dialogues", f"{sizes}; {described(splits.test_origin, splits.dev_origin)}"),
        ("parameters", f"{found.total:,}" + (f": {parts}" if parts else "")),
        ("training", f"{counted(len(seeds), 'seed')} × {counted(trainer.epochs, 'epoch')}{patience}; {batch}"),
        ("device", str(found.device)),
        ("protocol", f"{recipe.protocol.name}, epochs chosen by {recipe.protocol.monitor.replace('_', ' ')}"),
        *(("warning", warning) for warning in found.warnings),
    ]
    for label, text in rows:
        yield from hanging(f"  {label:12}", text)


def _plan(experiment: Experiment, found: Preflight, source: str) -> dict[str, Any]:
    recipe, info, splits = experiment.loaded.recipe, experiment.info, experiment.splits
    return {
        "format": FORMAT,
        "recipe": source,
        "ready": True,
        "problems": [],
        "warnings": list(found.warnings),
        "device": str(found.device),
        "parameters": dict(found.parameters),
        "corpus": info.name,
        "generated": info.generated,
        "modalities": dict(info.modalities),
        "dialogues": {name: len(getattr(splits, name)) for name in ("train", "dev", "test")},
        "protocol": recipe.protocol.name,
        "seeds": list(recipe.protocol.seed_list()),
        "epochs": recipe.trainer.epochs,
        "batch_dialogues": recipe.trainer.batch_dialogues,
    }


def _refused(error: InputError, source: str) -> dict[str, Any]:
    problems = [{"where": p.where, "what": p.what, "message": p.message} for p in error.problems]
    title = {"where": "", "what": "", "message": error.title}
    return {"format": FORMAT, "recipe": source, "ready": False, "problems": problems or [title], "warnings": []}
