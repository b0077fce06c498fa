"""A table of the fields of a settings class: name, type, default, meaning."""

from __future__ import annotations

from typing import Any, get_args

import yaml
from pydantic import BaseModel

from .rst import table

_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "minItems": "at least {}",
    "minProperties": "at least {}",
    "pattern": "matching ``{}``",
}
_TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}


def field_table(model: type[BaseModel]) -> str:
    """The table as reStructuredText; fields of nested settings have dotted names."""
    rows = _rows(model)
    return table(("Field", "Type", "Default", "Meaning"), rows, widths=(22, 22, 14, 42)) if rows else "No settings.\n"


def _rows(model: type[BaseModel], prefix: str = "") -> list[tuple[str, ...]]:
    schema = model.model_json_schema()
    rows = []
    for name, field in model.model_fields.items():
        nested = _nested(field.annotation)
        if field.annotation is not nested:
            given = (
                "required" if field.is_required() else f"``{in_yaml(field.get_default(call_default_factory=True))}``"
            )
            type_ = type_text(schema["properties"][name], schema.get("$defs", {}))
            rows.append((f"``{prefix}{name}``", type_, given, field.description or ""))
        rows += _rows(nested, f"{prefix}{name}.") if nested else []
    return rows


def _nested(annotation: Any) -> type[BaseModel] | None:
    """The settings class that a field holds, alone or as one of several possibilities."""
    options = (annotation, *get_args(annotation))
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)


def type_text(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What may stand there, in words: ``number > 0``, ``a or b``, ``list of integer``."""
    if "$ref" in schema:
        return type_text(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(type_text(option, definitions) for option in schema[choice]))
    if "enum" in schema or "const" in schema:
        return " or ".join(f"``{in_yaml(value)}``" for value in schema.get("enum", [schema.get("const")]))
    bounds = [text.format(in_yaml(schema[key])) for key, text in _BOUNDS.items() if key in schema]
    return " ".join([_plain(schema, definitions), ", ".join(bounds)]).strip()


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        return f"list of {type_text(schema['items'], definitions)}" if "items" in schema else "list"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"mapping of names to {type_text(values, definitions)}" if isinstance(values, dict) else "mapping"
    return _TYPES.get(schema.get("type", ""), "anything")


def in_yaml(value: object) -> str:
    """A value as a recipe would spell it, on one line."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, tuple):
        value = list(value)
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000).removesuffix("...\n").strip()
    )
