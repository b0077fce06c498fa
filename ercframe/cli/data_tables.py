"""Bundles and findings as tables that read well at 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ercframe.data.findings import LEVELS, Finding, by_gravity
from ercframe.data.manifest import Manifest, Modality, Noticed
from ercframe.data.reader import Bundle
from ercframe.data.records import SPLITS
from ercframe.wording import counted, harmless

STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_PLACES = 3  # shown of a finding
_SOURCES = 5  # files, of which some corpora have hundreds


def print_findings(findings: Iterable[Finding], *, every_place: bool = False, summary: str = "") -> None:
    """A few lines for each finding, the gravest first; then how many there are, if ``summary`` names their object."""
    console, found = Console(highlight=False), by_gravity(findings)
    for finding in found:
        line = Text.assemble((f"{finding.level:<7}", STYLES[finding.level]), "  ", harmless(finding.message))
        console.print(line, soft_wrap=True)
        if finding.places:
            shown = finding.places if every_place else finding.places[:_PLACES]
            rest = f" and {len(finding.places) - len(shown):,} more" if len(shown) < len(finding.places) else ""
            console.print(Text(f"         {harmless(', '.join(map(str, shown)))}{rest}", style="dim"), soft_wrap=True)
    if summary:
        levels = Counter(finding.level for finding in found)
        counts = ", ".join(counted(levels[level], level) for level in LEVELS)
        console.print(Text(f"{summary}: {counts}"), soft_wrap=True)


def print_manifest(manifest: Manifest, path: Path) -> None:
    """The bundle in a few lines: what an import ends with."""
    console = Console(highlight=False)
    console.print(Text(f"{path}: {manifest.corpus}, {_size(manifest)}"), soft_wrap=True)
    console.print(_modalities(manifest))


def print_bundle(bundle: Bundle) -> None:
    """Everything of a bundle that is worth seeing at a glance."""
    console, manifest = Console(highlight=False), bundle.manifest
    console.print(Text(f"{bundle.path}: {manifest.corpus}, {_size(manifest)}", style="bold"), soft_wrap=True)
    console.print(_facts(manifest))
    console.print(_splits(bundle))
    console.print(_modalities(manifest))
    extracted = [noticed for modality in manifest.modalities.values() for noticed in modality.noticed]
    for when, noticed in (("import", manifest.noticed), ("extraction", extracted)):
        if noticed:
            console.print(Text(f"Noticed at {when}"))
            console.print(_noticed(noticed))


def _size(manifest: Manifest) -> str:
    return f"{counted(manifest.dialogues, 'dialogue')}, {counted(manifest.utterances, 'utterance')}"


def _facts(manifest: Manifest) -> Table:
    grid = Table.grid(padding=(0, 2))
    made_by, speakers = manifest.made_by, manifest.speakers
    sources = ", ".join(source.name for source in made_by.sources[:_SOURCES])
    if len(made_by.sources) > _SOURCES:
        sources += f" and {len(made_by.sources) - _SOURCES} more"
    grid.add_row("licence", manifest.licence or "not stated")
    grid.add_row("made by", f"importer {made_by.importer} of ercframe {made_by.ercframe}, from {sources}")
    if speakers.ids == "corpus":
        names = harmless(", ".join(speakers.names))
        grid.add_row("speakers", Text(f"{counted(speakers.count, 'id')}: {names} ({speakers.are})"))
    else:
        grid.add_row("speakers", f"{counted(speakers.count, 'id')}, in order of appearance in each dialogue")
    if manifest.label_map:
        mapped = ", ".join(f"{old} → {new or 'context only'}" for old, new in manifest.label_map.items() if old != new)
        grid.add_row("label map", mapped)
    if manifest.groups:
        grid.add_row("groups", ", ".join(manifest.groups))
    if manifest.targets:
        grid.add_row("targets", ", ".join(f"{name} ({width})" for name, width in manifest.targets.items()))
    return grid


def _splits(bundle: Bundle) -> Table:
    """Sizes of the splits, and how many scored utterances of each emotion they have."""
    manifest = bundle.manifest
    splits = [split for split in SPLITS if split in manifest.splits]
    table = _table("", *splits)
    for name in ("dialogues", "utterances", "scored"):
        table.add_row(name, *(f"{getattr(manifest.splits[split], name):,}" for split in splits))
    table.add_section()
    counts = [bundle.class_counts(split) for split in splits]
    for i, label in enumerate(manifest.labels):
        table.add_row(label, *(_with_share(int(of_split[i]), int(np.sum(of_split))) for of_split in counts))
    return table


def _noticed(findings: Iterable[Noticed]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for noticed in sorted(findings, key=lambda noticed: LEVELS.index(noticed.level)):
        grid.add_row(Text(noticed.level, style=STYLES[noticed.level]), Text(noticed.message))
    return grid


def _with_share(count: int, total: int) -> str:
    return f"{count:,} {100 * count / total if total else 0:3.0f} %"


def _modalities(manifest: Manifest) -> Table | Text:
    if not manifest.modalities:
        return Text("no modality")
    table = _table("modality", "width", "type", "available")
    table.add_column("from", ratio=1)
    for name, modality in manifest.modalities.items():
        available = f"{100 * modality.available / manifest.utterances:.4g} %"
        table.add_row(name, f"{modality.width:,}", modality.dtype, available, _provenance(modality))
    return table


def _provenance(modality: Modality) -> str:
    if modality.extractor != "imported":
        return f"{modality.extractor} {modality.version}"
    parts = ", ".join(f"{part.array} {part.width}" for part in modality.parts)
    return ": ".join(filter(None, (modality.source.name if modality.source else "", parts)))


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table
