"""What may be set: the fields of a settings class in words, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from ercframe.recipes.resolved import dump

_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "multiple of {}",
    "minLength": "at least {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "pattern": "matching {}",
}
_TYPES = {"boolean": "true or false", "string": "text", "array": "list", "object": "mapping"}


@dataclass(frozen=True)
class FieldText:
    """A field in words: its name (dotted inside nested settings), what it accepts, its default, its meaning."""

    name: str
    accepts: str
    default: str
    meaning: str


def describe(settings: type[BaseModel], prefix: str = "") -> Iterator[FieldText]:
    """The fields of a settings class, nested settings field by field."""
    schema = settings.model_json_schema()
    for name, field in settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from describe(field.annotation, f"{prefix}{name}.")
            continue
        default = "required" if field.is_required() else in_yaml(field.get_default(call_default_factory=True))
        accepts = _accepts(schema["properties"][name], schema.get("$defs", {}))
        yield FieldText(f"{prefix}{name}", accepts, default, field.description or "")
        for nested in get_args(field.annotation):
            if isinstance(nested, type) and issubclass(nested, BaseModel):
                key = "NAME." if get_origin(field.annotation) is dict else ""
                yield from describe(nested, f"{prefix}{name}.{key}")


def in_yaml(value: object) -> str:
    """A value as a recipe would have it, on one line."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return dump(_lists(value), flow=True, width=100_000).removesuffix("...\n").strip()


def _lists(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _accepts(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """``integer ≥ 1``, ``none or inverse_frequency or list of number``."""
    if "$ref" in schema:
        return _accepts(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return " or ".join(dict.fromkeys(_accepts(option, definitions) for option in options))
    if "enum" in schema or "const" in schema:
        return " or ".join(in_yaml(value) for value in schema.get("enum", [schema.get("const")]))
    bounds = ", ".join(text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema)
    return f"{_type(schema, definitions)} {bounds}".strip()


def _type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    kind = str(schema.get("type", "anything"))
    inner = schema.get("items", schema.get("additionalProperties"))
    of = f" of {_accepts(inner, definitions)}" if isinstance(inner, dict) and inner else ""
    return _TYPES.get(kind, kind) + of
