"""The settings of a recipe that belong to no component."""

from __future__ import annotations

from ercframe.settings import ProtocolSettings, TrainerSettings

from .fields import field_table
from .rst import title

SECTIONS = {"trainer": TrainerSettings, "protocol": ProtocolSettings}
"""Recipe key to settings class."""


def pages() -> dict[str, str]:
    """One page with a table for each section."""
    parts = [title("Trainer and protocol")]
    for key, model in SECTIONS.items():
        summary = (model.__doc__ or "").partition("\n")[0]
        parts += [title(f"``{key}``", "-"), f"{summary}\n", field_table(model)]
    return {"settings.rst": "\n".join(parts)}
