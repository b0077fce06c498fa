"""Figures drawn once, as SVG for a page, SVG for a file, and PDF."""

from ercframe.drawing.canvas import Canvas
from ercframe.drawing.palette import PALETTE, class_colour

__all__ = ["PALETTE", "Canvas", "class_colour"]
