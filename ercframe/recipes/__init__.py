"""Recipes: YAML that names one component per slot, checked and completed before anything runs."""

from collections.abc import Sequence
from pathlib import Path

from ercframe.recipes.model import Loaded, LossSlot, Recipe, Slot
from ercframe.recipes.sources import SourceMap

__all__ = ["Loaded", "LossSlot", "Recipe", "Slot", "SourceMap", "load"]


def load(
    source: str | Path, overrides: Sequence[str] = (), *, plugin_files: Sequence[Path] = (), demo: bool = False
) -> Loaded:
    """Read, complete and check a recipe."""
    raise NotImplementedError
