"""Measuring how cost grows, printing it and drawing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer

from ercframe import recipes
from ercframe.bench import growth
from ercframe.bench.compare import FORMAT, machine
from ercframe.errors import InputError, nearest
from ercframe.files import write_json
from ercframe.report.growth_plot import draw_growth

SWEEPS = {
    "length": "utterances of a dialogue",
    "modalities": "modalities",
    "batch": "dialogues in a batch",
    "corpus": "utterances of the corpus",
}


def measure_growth(
    source: str,
    overrides: Sequence[str],
    plugin_files: Sequence[Path],
    sweeps: Sequence[str],
    to: Path | None,
    svg: Path | None,
) -> int:
    """Measure the sweeps that are asked for, print a table each, and write what is asked for.

    Raises:
        InputError: a sweep or the recipe is wrong.
    """
    for name in sweeps:
        if name not in SWEEPS:
            raise InputError(f"--sweep must be one of {', '.join(SWEEPS)} (got '{name}'){nearest(name, SWEEPS)}")
    load = partial(recipes.load, source, plugin_files=list(plugin_files), demo=True)
    loaded = load(overrides)
    measured: dict[str, Mapping[str, list[growth.Point]]] = {}
    for name in dict.fromkeys(sweeps):
        if name == "length":
            measured[name] = growth.measure_length(loaded, growth.with_window(load, overrides))
        else:
            measured[name] = getattr(growth, f"measure_{name}")(loaded)
        _print(SWEEPS[name], measured[name])
    found: dict[str, Any] = {
        "format": FORMAT,
        "machine": machine(),
        "recipe": loaded.recipe.name,
        "overrides": list(overrides),
        "sweeps": {name: {"axis": SWEEPS[name], "series": series} for name, series in measured.items()},
    }
    if to is not None:
        write_json(to, found)
    if svg is not None:
        draw_growth(found, svg)
    return 0


def _print(axis: str, series: Mapping[str, Sequence[growth.Point]]) -> None:
    typer.echo(f"\n{axis:>26}  " + "  ".join(f"{name + ', µs/utterance':>30}" for name in series))
    for points in zip(*series.values(), strict=True):
        values = "  ".join(f"{1e6 * point['seconds_per_utterance']:>30,.1f}" for point in points)
        typer.echo(f"{points[0]['x']:>26,}  {values}")
