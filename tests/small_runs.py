"""Runs of a small recipe, trained while nobody watches."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ercframe import recipes
from ercframe.build import assemble
from ercframe.execute import execute


class Silent:
    """Watches a run and says nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None


def train(folder: Path, recipe: Mapping[str, Any], name: str = "tiny") -> Path:
    """Train a recipe; its run folder, ``runs/NAME/…`` in ``folder``."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(dict(recipe)))
    return execute(assemble(recipes.load(path)), folder / "runs", Silent())[0].path


def edit_summary(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a run's ``summary.json`` says."""
    summary = json.loads((run / "summary.json").read_text())
    change(summary)
    (run / "summary.json").write_text(json.dumps(summary))
