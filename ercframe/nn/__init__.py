"""Blocks for plugins. They take plain arguments, so they also work in a notebook."""

from ercframe.nn.frozen import Frozen

__all__ = ["Frozen"]
