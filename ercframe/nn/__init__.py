"""Blocks for plugins. They take plain arguments, so they also work in a notebook."""

from ercframe.nn.class_weights import ClassWeights, class_weights
from ercframe.nn.frozen import Frozen
from ercframe.nn.matching_attention import MatchingAttention
from ercframe.nn.precision import at_least_float32
from ercframe.nn.step_order import StepOrder

__all__ = ["ClassWeights", "Frozen", "MatchingAttention", "StepOrder", "at_least_float32", "class_weights"]
