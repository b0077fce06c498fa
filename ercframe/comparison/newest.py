"""Which run folder a path means: itself, or the newest finished run of a recipe's folder."""

from __future__ import annotations

import json
from pathlib import Path

from ercframe.errors import InputError
from ercframe.wording import counted


def run_folder(path: Path) -> Path:
    """``path`` where it is a run folder, and else the newest finished run in it; run folders are named by their time.

    Raises:
        InputError: it is neither.
    """
    if (path / "recipe.yaml").is_file() or not path.is_dir():
        return path
    runs = sorted(inner for inner in path.iterdir() if (inner / "recipe.yaml").is_file())
    finished = [run for run in runs if _finished(run)]
    if finished:
        return finished[-1]
    if runs:
        raise InputError(f"none of {counted(len(runs), 'run')} in {path} is finished; name one, such as {runs[-1]}")
    raise InputError(f"{path} must be a run folder, or a folder of runs such as runs/sdt_iemocap (got neither)")


def _finished(run: Path) -> bool:
    try:
        return bool(json.loads((run / "summary.json").read_text(encoding="utf-8"))["status"] == "finished")
    except (OSError, ValueError, KeyError, TypeError):
        return False
