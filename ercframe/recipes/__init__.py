"""Recipes: YAML that names one component per slot, checked and completed before anything runs."""

from ercframe.recipes.load import load
from ercframe.recipes.model import Loaded, LossSlot, Recipe, Slot
from ercframe.recipes.sources import SourceMap

__all__ = ["Loaded", "LossSlot", "Recipe", "Slot", "SourceMap", "load"]
