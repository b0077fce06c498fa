"""Checking one mapping of a recipe against a settings class."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ercframe.recipes.messages import explain
from ercframe.recipes.sources import Finding, Place
from ercframe.recipes.yaml_tree import Node
from ercframe.settings import Settings

AnySettings = TypeVar("AnySettings", bound=Settings)


def check_settings(
    model: type[AnySettings], key: str, node: Node, beside: Sequence[str] = ()
) -> tuple[AnySettings | None, list[Finding]]:
    """Validate a mapping.

    Strict: text is no number and 1 is not true; a whole number may stand for any number, a list for a tuple.

    Args:
        model: what the mapping must satisfy.
        key: dotted key of the mapping in its recipe; empty for the recipe itself.
        node: the mapping.
        beside: keys that the recipe has there, too, and that ``node`` is given without.

    Returns:
        The settings, None where something is wrong, and every problem.
    """
    try:
        return model.model_validate_json(json.dumps(node.plain()), strict=True), []
    except ValidationError as error:
        located: dict[tuple[str, ...], list[ErrorDetails]] = {}
        for details in error.errors(include_url=False):
            located.setdefault(_path(details, node), []).append(details)
    return None, [
        _finding(model, key, node, path, errors, beside if len(path) == 1 else ())
        for path, errors in located.items()
        if not _explained(path, located)
    ]


def join(key: str, *parts: str) -> str:
    """A dotted key of a part: ``a.b`` for a key, ``a[0]`` for a place in a list."""
    for part in parts:
        key = f"{key}[{part}]" if part.isdigit() else f"{key}.{part}" if key else part
    return key


def _path(error: ErrorDetails, node: Node) -> tuple[str, ...]:
    """Where in the mapping the fault is. pydantic's own path also names the members of a union it tried."""
    path: list[str] = []
    for part in error["loc"]:
        below = _child(node, str(part))
        if below is not None:
            node = below
            path.append(str(part))
    return (*path, str(error["loc"][-1])) if error["type"] == "missing" else tuple(path)


def _child(node: Node, part: str) -> Node | None:
    if isinstance(node.value, list):
        return node.value[int(part)] if part.isdigit() and int(part) < len(node.value) else None
    return node.children.get(part)


def _explained(path: tuple[str, ...], located: dict[tuple[str, ...], list[ErrorDetails]]) -> bool:
    """Whether one member of a union got further into the value: only that one's finding is worth telling."""
    return any(len(other) > len(path) and other[: len(path)] == path for other in located) and not any(
        error["type"] in ("value_error", "assertion_error") for error in located[path]
    )


def _finding(
    model: type[Settings],
    key: str,
    root: Node,
    path: tuple[str, ...],
    errors: list[ErrorDetails],
    beside: Sequence[str],
) -> Finding:
    node: Node = root
    for part in path:
        node = _child(node, part) or node
    place: Place = node.place
    if errors[0]["type"] == "extra_forbidden":
        place = node.key_place or node.place
    *outer, last = path or ("",)
    further = deeper(_below(model, outer), last)
    known = (*_keys_beside(model, path), *beside)
    return Finding(place, join(key, *path), explain(errors, node, known, join(key, *outer, further) if further else ""))


def _below(annotation: Any, path: Iterable[str]) -> Any:
    """What a setting of settings holds; None where that is not one thing."""
    for part in path:
        fields = [model.model_fields[part] for model in _models(annotation) if part in model.model_fields]
        annotation = fields[0].annotation if len(fields) == 1 else None
    return annotation


def deeper(annotation: Any, name: str) -> str:
    """The dotted key of a setting of this name further in: ``"optimizer.lr"`` for ``"lr"``; empty where there is none.

    Of several, the one that is least deep.
    """
    fields = {key: field.annotation for model in _models(annotation) for key, field in model.model_fields.items()}
    for key, inner in fields.items():
        if any(name in model.model_fields for model in _models(inner)):
            return f"{key}.{name}"
    found = (f"{key}.{further}" for key, inner in fields.items() if (further := deeper(inner, name)))
    return min(found, key=lambda dotted: dotted.count("."), default="")


def _keys_beside(annotation: Any, path: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that could stand where the last of ``path`` does."""
    if get_origin(annotation) is dict:  # its keys are free
        return _keys_beside(get_args(annotation)[1], path[1:])
    models = _models(annotation)
    if len(path) <= 1:
        return tuple(name for model in models for name in model.model_fields)
    fields = [model.model_fields[path[0]] for model in models if path[0] in model.model_fields]
    return tuple(name for field in fields for name in _keys_beside(field.annotation, path[1:]))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
