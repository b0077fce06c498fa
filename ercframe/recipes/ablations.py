"""``ablations:`` of a recipe: what is taken out of the model, one after the other, by names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ercframe.recipes.frame import NAME_PATTERN
from ercframe.recipes.merge import flattened, merge
from ercframe.recipes.overrides import expand
from ercframe.recipes.sources import Finding
from ercframe.recipes.validate import check
from ercframe.recipes.yaml_tree import Node, written
from ercframe.registry import Registry

FULL = "full"
"""What the recipe itself is called beside its ablations."""


def expand_ablations(ablations: Node) -> tuple[Node, list[Finding]]:
    """The dotted keys of every ablation as mappings in mappings; null takes an inherited one out."""
    if not isinstance(ablations.value, dict):
        message = f"must be a mapping, a name and {{dotted key: value}} for each (got {written(ablations.value)})"
        return replace(ablations, value={}), [Finding(ablations.place, "ablations", message)]
    trees: dict[str, Node] = {}
    findings: list[Finding] = []
    for name, node in ablations.value.items():
        key = f"ablations.{name}"
        if not re.fullmatch(NAME_PATTERN, name) or name == FULL:
            message = f"must be letters, digits and underscores, a letter first, and not '{FULL}' (got '{name}')"
            findings.append(Finding(node.key_place or node.place, key, message))
        elif node.value == {}:
            findings.append(Finding(node.place, key, "must change something (got an empty mapping)"))
        elif node.value is None:
            trees[name] = node
        else:
            trees[name], problems = expand(node, key)
            findings += problems
    return replace(ablations, value=trees), findings


def check_ablations(tree: Node, registry: Registry) -> list[Finding]:
    """What is wrong with the ablations of a recipe that is itself in order: each is laid over it."""
    return [
        finding
        for node in ablation_trees(tree).values()
        for finding in check(merge(tree, replace(node, implied=True)), registry)[1]
    ]


def ablation_trees(tree: Node) -> dict[str, Node]:
    """The ablations of a recipe by name."""
    found = tree.children.get("ablations", Node({})).children
    return {name: node for name, node in found.items() if node.value is not None}


def plain_ablations(tree: Node) -> Mapping[str, Mapping[str, Any]]:
    """The ablations of a recipe: by name, dotted keys to values."""
    return {name: {key: leaf.plain() for key, leaf in flattened(node)} for name, node in ablation_trees(tree).items()}
