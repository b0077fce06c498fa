"""Laying one recipe over another: what ``extends``, the command line, ``demo:`` and ``ablations:`` share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce

from ercframe.recipes.sources import Place
from ercframe.recipes.yaml_tree import Node


def merge(below: Node, above: Node) -> Node:
    """Lay ``above`` over ``below``: mappings are merged, anything else replaces.

    A mapping that names another ``type`` replaces too: the settings of the one are not those of the other. Dotted keys
    such as ``transforms.0.rates`` reach the entries of a list, counted from 0.
    """
    if isinstance(below.value, list) and above.implied and all(map(str.isdecimal, above.children)):
        return _with_entries(below, below.value, above)
    if not (isinstance(below.value, dict) and isinstance(above.value, dict)) or _retypes(below, above):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return replace(below if above.implied else above, value=merged)


def merge_recipes(below: Node, above: Node) -> Node:
    """Lay a recipe over another.

    Where slots get another type, or go, the ``demo:`` settings of the other recipe for these are dropped, and the
    ablations that change them: half an ablation would be another one.
    """
    changed = list(_changed_slots(below, above, ()))
    parts = below.children
    if demo := parts.get("demo"):
        parts = {**parts, "demo": reduce(_without, changed, demo)}
    if ablations := parts.get("ablations"):
        kept = {name: x for name, x in ablations.children.items() if not any(_has(x, path) for path in changed)}
        parts = {**parts, "ablations": replace(ablations, value=kept)}
    return merge(replace(below, value=parts), above)


def nested(keys: Sequence[str], node: Node, place: Place) -> Node:
    """``a.b.c`` with a value as mappings in mappings; ``place`` is where the dotted key stands."""
    return reduce(
        lambda inner, key: Node({key: replace(inner, key_place=place)}, place, implied=True), reversed(keys), node
    )


def flattened(node: Node, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """The leaves of mappings in mappings by dotted key; an empty mapping is a leaf."""
    for key, child in node.children.items():
        if child.children:
            yield from flattened(child, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", child


def _with_entries(below: Node, entries: list[Node], above: Node) -> Node:
    """A list with changed entries; what names none of them instead, for an error."""
    merged = [merge(entry, above.children.get(str(i), entry)) for i, entry in enumerate(entries)]
    beyond = {key: node for key, node in above.children.items() if key not in map(str, range(len(entries)))}
    return replace(above, value=beyond) if beyond else replace(below, value=merged)


def _retypes(below: Node, above: Node) -> bool:
    """Whether both name a type, and not the same one."""
    types = below.children.get("type"), above.children.get("type")
    return types[0] is not None and types[1] is not None and types[0].value != types[1].value


def _changed_slots(below: Node, above: Node, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, node in above.children.items():
        if key in below.children and key not in ("demo", "ablations"):
            old = below.children[key]
            if node.value is None or _retypes(old, node):
                yield (*path, key)
            else:
                yield from _changed_slots(old, node, (*path, key))


def _has(node: Node, path: tuple[str, ...]) -> bool:
    """Whether anything stands at a path."""
    first, *rest = path
    return first in node.children and (not rest or _has(node.children[first], tuple(rest)))


def _without(node: Node, path: tuple[str, ...]) -> Node:
    """The tree without what stands at a path."""
    first, *rest = path
    if first not in node.children:
        return node
    others = {key: child for key, child in node.children.items() if key != first}
    if rest:
        inner = _without(node.children[first], tuple(rest))
        others |= {first: inner} if inner.children else {}
    return replace(node, value=others)
