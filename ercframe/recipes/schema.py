"""The JSON Schema of recipes, made from the plugins there are, so that editors complete and check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, create_model
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from ercframe.components import Component
from ercframe.recipes.ablations import FULL
from ercframe.recipes.frame import NAME_PATTERN, SINGLE_SLOTS, Frame, Weight
from ercframe.registry import Registry
from ercframe.settings import ProtocolSettings, TrainerSettings

Schema = dict[str, Any]
KINDS_IN_RECIPES = (*SINGLE_SLOTS, "transform", "loss", "tracker")


def recipe_schema(registry: Registry) -> Schema:
    """The schema (draft 2020-12).

    It requires no key: a recipe may be partial, either because it extends another or because others extend it.
    Whether a recipe is complete is for loading it to say.
    """
    definitions = _definitions(registry)
    frame, weight = definitions.pop("Frame"), definitions.pop("Weight")
    for name in registry.names("loss"):
        definitions[f"loss-{name}"]["properties"] |= weight["properties"]
    for kind in KINDS_IN_RECIPES:
        definitions[kind] = _slot(registry, kind)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ercframe recipe",
        "type": "object",
        "properties": _properties(frame, _dotted_keys(registry)),
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _properties(frame: Schema, keys: str) -> Schema:
    """What a recipe may hold; ``keys`` is the pattern of a dotted key."""
    texts = {"type": "array", "items": {"type": "string"}}
    return {
        "extends": {
            "description": "What to start from, later over earlier: files relative to this one, or installed recipes.",
            "anyOf": [{"type": "string"}, texts],
        },
        **frame["properties"],
        **{kind: {"$ref": f"#/$defs/{kind}"} for kind in SINGLE_SLOTS},
        "transforms": {
            "description": "Changes of training batches, in order.",
            "type": "array",
            "items": {"$ref": "#/$defs/transform"},
        },
        "losses": {
            "description": "Losses by a name of your own; null leaves out one of the recipe that this one extends.",
            "type": "object",
            "propertyNames": {"pattern": NAME_PATTERN},
            "additionalProperties": {"$ref": "#/$defs/loss"},
        },
        "trackers": {
            "description": "Who else is told of a run, such as TensorBoard.",
            "type": "array",
            "items": {"$ref": "#/$defs/tracker"},
        },
        "demo": {
            "description": "What --demo changes beside the data: dotted key to value.",
            "type": "object",
            "propertyNames": {"pattern": keys},
        },
        "ablations": {
            "description": "What `ercframe ablate` trains beside the recipe: by name, dotted key to value.",
            "type": "object",
            "propertyNames": {"pattern": NAME_PATTERN, "not": {"const": FULL}},
            "additionalProperties": {"type": ["object", "null"], "propertyNames": {"pattern": keys}},
        },
        "plugins": {"description": "Plugin files, relative to this one.", **texts},
    }


class _WithoutTitles(GenerateJsonSchema):
    """pydantic titles every field with its own name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _definitions(registry: Registry) -> dict[str, Schema]:
    """Every settings class as ``KIND-NAME``, those of the frame, and what these refer to."""
    models: list[type[BaseModel]] = [Frame, Weight]
    models += [_with_type(entry.component) for kind in KINDS_IN_RECIPES for entry in registry.entries(kind)]
    _, schema = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/$defs/{model}",
        schema_generator=_WithoutTitles,
    )
    definitions: dict[str, Schema] = schema["$defs"]
    for definition in definitions.values():
        definition.pop("required", None)
    return definitions


def _with_type(component: type[Component]) -> type[BaseModel]:
    type_: Any = (Literal[component.name], ...)
    name = f"{component.kind}-{component.name}"
    return create_model(name, __base__=component.Config, __doc__=component.summary(), type=type_)


def _slot(registry: Registry, kind: str) -> Schema:
    """A mapping whose ``type`` decides what else it may hold; without a type, what any of the kind may."""
    components = [entry.component for entry in registry.entries(kind)]
    names = [component.name for component in components]
    typed = [
        {
            "if": {"type": "object", "required": ["type"], "properties": {"type": {"const": name}}},
            "then": {"$ref": f"#/$defs/{kind}-{name}"},
        }
        for name in names
    ]
    keys = sorted({"type", *_fields(registry, kind), *(["weight"] if kind == "loss" else [])})
    partial = {"if": {"not": {"required": ["type"]}}, "then": {"propertyNames": {"enum": keys}}}
    type_ = {"enum": names, "enumDescriptions": [component.summary() for component in components]}
    kinds = ["object", "null"] if kind == "loss" else "object"
    return {"type": kinds, "properties": {"type": type_}, "allOf": [*typed, partial]}


def _fields(registry: Registry, kind: str) -> Iterator[str]:
    for entry in registry.entries(kind):
        yield from entry.component.Config.model_fields


def _dotted_keys(registry: Registry) -> str:
    """A pattern of what ``demo:`` and ablations may change; below a setting anything may follow."""
    known = {kind: ["type", *_fields(registry, kind)] for kind in SINGLE_SLOTS}
    known |= {"trainer": list(TrainerSettings.model_fields), "protocol": list(ProtocolSettings.model_fields)}
    below = r"(\..+)?"
    keys = [rf"{key}(\.({'|'.join(sorted(set(fields)))}){below})?" for key, fields in known.items()]
    lists = [f"{key}{below}" for key in ("transforms", "losses", "trackers")]
    return f"^({'|'.join([*keys, 'modalities', *lists])})$"
