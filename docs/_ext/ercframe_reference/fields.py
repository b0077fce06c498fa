"""A table of the fields of a settings class: the texts that ``ercframe show`` prints."""

from __future__ import annotations

import re

from pydantic import BaseModel

from ercframe.recipes.fields import describe

from .rst import table


def field_table(model: type[BaseModel]) -> str:
    """The table as reStructuredText; fields of nested settings have dotted names."""
    rows = [(f"``{f.name}``", _escaped(f.accepts), _default(f.default), f.meaning) for f in describe(model)]
    return table(("Field", "Accepts", "Default", "Meaning"), rows, widths=(22, 22, 14, 42)) if rows else "None.\n"


def _default(text: str) -> str:
    return text if text == "required" else f"``{text}``"


def _escaped(text: str) -> str:
    return re.sub(r"([\\*`|_])", r"\\\1", text)
