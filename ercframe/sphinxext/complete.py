"""What a component's documentation lacks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from ercframe.components import Component
from ercframe.recipes.fields import describe
from ercframe.testing.trial import TRIALS

SHAPE = re.compile(r"``\([A-Z][\w ,+*^()-]*\)")
"""``(N, D)``, as a docstring writes it."""


def lacks(component: type[Component]) -> Iterator[str]:
    """What a reader would miss, one sentence each; nothing where the documentation is complete."""
    text = inspect.getdoc(component) or ""
    if not component.__dict__.get("__doc__") or not component.summary().strip():
        yield "its docstring must begin with a line that says what it does"
    if component.kind in TRIALS and not SHAPE.search(text):
        yield "its docstring must say what it reads or returns with the shape, such as ``(N, D)``"
    for field in describe(component.Config):
        if not field.meaning.strip():
            yield f"the setting '{field.name}' must have a description"
