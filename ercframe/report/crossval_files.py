"""A cross-validation as files in the folder of its runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ercframe.comparison.folds import KIND, SCHEMA_VERSION
from ercframe.errors import InputError
from ercframe.files import write_json, write_text
from ercframe.report.tables_in_pages import tables

JSON, MARKDOWN = "crossval.json", "crossval.md"


def write_crossval(found: Mapping[str, Any], folder: Path) -> None:
    """Keep what :func:`ercframe.comparison.folds.cross_validated` returns, and its tables."""
    write_text(folder / MARKDOWN, tables(found))
    write_json(folder / JSON, found)


def forget_crossval(folder: Path) -> None:
    """Remove what was kept of runs that may be others now."""
    for name in (JSON, MARKDOWN):
        (folder / name).unlink(missing_ok=True)


def read_crossval(folder: Path) -> dict[str, Any]:
    """What :func:`write_crossval` kept.

    Raises:
        InputError: it cannot be read, or a newer ercframe wrote it.
    """
    path = folder / JSON
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (found["kind"], found["schema_version"]) != (KIND, SCHEMA_VERSION):
            raise ValueError(f"schema_version must be {SCHEMA_VERSION} (got {found['schema_version']})")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return found
