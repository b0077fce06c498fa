"""Bundles and findings as tables that read well at 80 columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from ercframe.data.findings import Finding, by_gravity
from ercframe.data.manifest import Manifest


def console() -> Console:
    """Where results are printed."""
    return Console(highlight=False)


def print_findings(out: Console, findings: Iterable[Finding]) -> None:
    """One finding a line, the gravest first, with the first places."""
    for f in by_gravity(findings):
        out.print(f.level, f.topic, f.message, *map(str, f.places[:3]))


def print_manifest(out: Console, manifest: Manifest, path: Path) -> None:
    """What a manifest says."""
    out.print(path, manifest.corpus, manifest.splits)
