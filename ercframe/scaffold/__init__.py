"""New components from templates: one file with its test, or a whole package."""

from ercframe.scaffold.make import Made, make
from ercframe.scaffold.sections import kinds

__all__ = ["Made", "kinds", "make"]
