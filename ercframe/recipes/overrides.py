"""``key=value`` on the command line, and the dotted keys of ``demo:`` and ``ablations:``, as layers over a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ercframe.errors import InputError
from ercframe.recipes.merge import merge, nested
from ercframe.recipes.sources import COMMAND_LINE, Finding
from ercframe.recipes.yaml_tree import DEEPEST, Node, parse, written


def parse_overrides(overrides: Sequence[str], example: str = "trainer.epochs=10") -> tuple[Node, list[Finding]]:
    """Read ``key=value`` arguments, split at the first ``=``; keys may be dotted, values are YAML.

    ``example`` shows how one looks. Their order matters only where two of them set the same thing: the last wins.

    Returns:
        One mapping of all of them, and what is wrong with those that could not be read.
    """
    tree, findings = Node({}, implied=True), []
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not is_key(key):
            findings.append(Finding(COMMAND_LINE, text, f"must be key=value, such as {example}"))
        elif not value.strip():
            findings.append(Finding(COMMAND_LINE, key, "must have a value after '='; null sets to nothing"))
        else:
            node, problems = _value(key, value)
            findings += problems
            tree = merge(tree, nested(key.split("."), node, COMMAND_LINE)) if node else tree
    return tree, findings


def is_key(text: str) -> bool:
    """Whether a text is a dotted key: names between the dots, and not endlessly many."""
    keys = text.split(".")
    return all(key.strip() == key != "" for key in keys) and len(keys) <= DEEPEST


def expand(changes: Node, name: str) -> tuple[Node, list[Finding]]:
    """The dotted keys of ``demo:`` or of an ablation, which ``name`` is the key of, as mappings in mappings."""
    if not isinstance(changes.value, dict):
        message = f"must be a mapping of dotted keys, such as {{trainer.epochs: 3}} (got {written(changes.value)})"
        return Node({}, changes.place), [Finding(changes.place, name, message)]
    tree, findings = Node({}, changes.place, changes.key_place), []
    for key, node in changes.value.items():
        place = node.key_place or node.place
        if is_key(key):
            tree = merge(tree, replace(nested(key.split("."), node, place), implied=True))
        else:
            findings.append(Finding(place, f"{name}.{key}", "must be a dotted key, such as trainer.epochs"))
    return tree, findings


def _value(key: str, text: str) -> tuple[Node | None, list[Finding]]:
    try:
        node, findings = parse(text, COMMAND_LINE)
    except InputError as error:
        return None, [Finding(COMMAND_LINE, key, problem.message) for problem in error.problems]
    return node, [Finding(COMMAND_LINE, f"{key}.{f.key}" if f.key else key, f.message) for f in findings]
