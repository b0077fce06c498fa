"""A component as a recipe would name it, with every setting."""

from __future__ import annotations

from typing import Any

from ercframe.components import Component
from ercframe.recipes.resolved import dump
from ercframe.recipes.schema import KINDS_IN_RECIPES


def example_yaml(component: type[Component], width: int) -> str:
    """The component in its slot, … for what has no default; empty for a kind that no recipe names.

    Args:
        component: its class.
        width: columns to fill.
    """
    if component.kind not in KINDS_IN_RECIPES:
        return ""
    defaults = {
        name: "…" if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in component.Config.model_fields.items()
    }
    construct: Any = component.Config.model_construct  # unchecked, since … is no value
    settings = construct(**defaults).model_dump(mode="json", warnings=False)
    slot: Any = {"type": component.name, **settings} | ({"weight": 1.0} if component.kind == "loss" else {})
    slots = {
        "transform": {"transforms": [slot]},
        "loss": {"losses": {component.name: slot}},
        "tracker": {"trackers": [slot]},
    }
    tree = slots.get(component.kind, {component.kind: slot})
    # A line is broken after the setting that passes the width, so that one has to aim lower.
    tries = (dump(tree, width=aim) for aim in range(width, width // 2, -1))
    first = dump(tree, width=width)
    return next((text for text in tries if max(map(len, text.splitlines())) <= width), first)
