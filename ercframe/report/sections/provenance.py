"""Where a run comes from: recipe, environment and data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ercframe.protocol import OWN
from ercframe.report.material import RunMaterial
from ercframe.report.page import Section, Table
from ercframe.report.table import percent


def recipe(run: RunMaterial) -> Section:
    """The resolved recipe."""
    note = "Every default is filled in: ercframe run on the run folder repeats it."
    return Section("recipe", "Recipe", [note], code=[("recipe.yaml", run.recipe)], plain=True)


def environment(run: RunMaterial) -> Section:
    """Versions, machine, and where each component came from."""
    plain = {name: value for name, value in run.environment.items() if not isinstance(value, (dict, list))}
    rows = [[name, str(value)] for name, value in plain.items()]
    if run.summary:
        rows.append(["parameters", f"{run.summary['parameters']:,}"])
    tables = [Table("What it ran on", ["", ""], rows, words=True)]
    parts = run.environment.get("components")
    if isinstance(parts, dict):
        rows = [[name, str(origin)] for name, origin in parts.items()]
        tables.append(Table("Components", ["component", "from"], rows, words=True))
    return Section("environment", "Environment", tables=tables, plain=True)


def data(run: RunMaterial) -> Section:
    """The corpus as the run saw it, and where its features came from."""
    tables = []
    if run.summary:
        tables.append(Table("Corpus", ["", ""], list(_corpus(run.summary["dataset"], run.environment)), words=True))
        counts = run.summary["dataset"]["class_counts"]
        rows = [[label, f"{count:,}"] for label, count in zip(run.labels, counts, strict=True)]
        tables.append(Table("Labels that were trained on", ["emotion", "turns"], rows))
    if isinstance(where := (run.inputs or {}).get("provenance"), dict) and where:
        rows = [[name, str(value)] for name, value in where.items()]
        tables.append(Table("Where it comes from", ["", ""], rows, words=True))
    modalities = (run.inputs or {}).get("modalities")
    if isinstance(modalities, dict):
        tables += [
            Table(f"Features of {name}", ["", ""], rows, words=True)
            for name, found in modalities.items()
            if (rows := list(_features(found)))
        ]
    return Section("data", "Data", tables=tables, plain=True)


def _corpus(dataset: Mapping[str, Any], environment: Mapping[str, Any]) -> Iterator[list[str]]:
    yield ["name", dataset["name"]]
    yield ["made by", "drawn from a model: generated data" if dataset["generated"] else "people"]
    yield ["dialogues", ", ".join(f"{count:,} {split}" for split, count in dataset["dialogues"].items() if count)]
    yield ["dev", dataset["dev"]]
    yield ["test", dataset.get("test", OWN)]
    yield ["features", ", ".join(f"{name} {width:,}" for name, width in dataset["modalities"].items())]
    for name, value in dataset["facts"].items():
        yield [name.replace("_", " "), f"{percent(value)} %"]
    if digest := environment.get("data"):
        yield ["digest of the data", str(digest)]


def _features(found: object) -> Iterator[list[str]]:
    """What the bundle's manifest says of a modality; other datasets say nothing."""
    modality = found.get("modality") if isinstance(found, dict) else None
    if not isinstance(modality, dict):
        return
    for key in ("extractor", "version", "revision", "settings", "licence", "available", "width", "dtype"):
        if modality.get(key):
            yield [key, _written(modality[key])]
    if isinstance(parts := modality.get("parts"), list):
        yield ["made of", ", ".join(_written(part) for part in parts)]
    for key, value in (modality.get("source") or {}).items():
        yield [f"source {key}", _written(value)]


def _written(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_written(x)}" for key, x in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
