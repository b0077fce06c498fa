"""Blocks for plugins. They take plain arguments, so they also work in a notebook."""

from ercframe.nn.class_weights import ClassWeights, class_weights
from ercframe.nn.frozen import Frozen
from ercframe.nn.precision import at_least_float32

__all__ = ["ClassWeights", "Frozen", "at_least_float32", "class_weights"]
