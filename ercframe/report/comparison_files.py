"""A comparison of runs as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ercframe.files import write_text
from ercframe.report.comparison_text import as_csv, latex, markdown

SUFFIXES = {"markdown": ".md", "latex": ".tex", "csv": ".csv", "json": ".json"}
"""Of the file of each format."""


def write_comparison(found: Mapping[str, Any], folder: Path | None, files: Mapping[str, Path | None]) -> list[Path]:
    """Write a comparison.

    Args:
        found: what :func:`ercframe.comparison.compare` returns.
        folder: gets ``comparison`` in every format; None for none.
        files: of single formats, by the names in :data:`SUFFIXES`.

    Returns:
        What was written.
    """
    written = []
    for name, suffix in SUFFIXES.items():
        paths = [files.get(name), folder / f"comparison{suffix}" if folder else None]
        for path in (path for path in paths if path is not None):
            write_text(path, _WRITERS[name](found))
            written.append(path)
    return written


def as_json(found: Mapping[str, Any]) -> str:
    """Everything, as :func:`ercframe.comparison.compare` returns it."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


_WRITERS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "markdown": markdown,
    "latex": latex,
    "csv": as_csv,
    "json": as_json,
}
