"""Blocks for plugins. They take plain arguments, so they also work in a notebook."""

from ercframe.nn.attention import DialogueAttention, grouped_attention
from ercframe.nn.class_weights import ClassWeights, class_weights, scored_weight
from ercframe.nn.contrast import Contrast, contrast
from ercframe.nn.dropout import Dropout, dropout
from ercframe.nn.feed_forward import FeedForward, grouped_feed_forward
from ercframe.nn.frozen import Frozen
from ercframe.nn.grouped import grouped_layer_norm, grouped_linear, prefers_groups
from ercframe.nn.lstm_by_steps import lstm_by_steps
from ercframe.nn.matching_attention import MatchingAttention
from ercframe.nn.positions import sinusoidal_positions
from ercframe.nn.precision import at_least_float32, without_autocast
from ercframe.nn.speaker_rows import speaker_rows
from ercframe.nn.step_order import StepOrder
from ercframe.nn.visibility import Visibility
from ercframe.nn.weighted_nll import weighted_nll

__all__ = [
    "ClassWeights",
    "Contrast",
    "DialogueAttention",
    "Dropout",
    "FeedForward",
    "Frozen",
    "MatchingAttention",
    "StepOrder",
    "Visibility",
    "at_least_float32",
    "class_weights",
    "contrast",
    "dropout",
    "grouped_attention",
    "grouped_feed_forward",
    "grouped_layer_norm",
    "grouped_linear",
    "lstm_by_steps",
    "prefers_groups",
    "scored_weight",
    "sinusoidal_positions",
    "speaker_rows",
    "weighted_nll",
    "without_autocast",
]
