"""pydantic's findings in ercframe's grammar: what must hold, what was got, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from ercframe.errors import nearest
from ercframe.recipes.yaml_tree import Node, written
from ercframe.wording import counted

# What must hold, to follow "must be", by pydantic's name of the fault and what it knows of it.
_REQUIREMENTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "int_type": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "float_type": lambda _: "a number",
    "bool_type": lambda _: "true or false",
    "string_type": lambda _: "text",
    "path_type": lambda _: "text",
    "none_required": lambda _: "null",
    "list_type": lambda _: "a list",
    "tuple_type": lambda _: "a list",
    "frozen_set_type": lambda _: "a list",
    "dict_type": lambda _: "a mapping",
    "model_type": lambda _: "a mapping",
    "finite_number": lambda _: "finite",
    "greater_than_equal": lambda ctx: f"at least {_number(ctx['ge'])}",
    "greater_than": lambda ctx: f"above {_number(ctx['gt'])}",
    "less_than_equal": lambda ctx: f"at most {_number(ctx['le'])}",
    "less_than": lambda ctx: f"below {_number(ctx['lt'])}",
    "multiple_of": lambda ctx: f"a multiple of {_number(ctx['multiple_of'])}",
    "string_pattern_mismatch": lambda ctx: f"text that matches {ctx['pattern']}",
    "string_too_short": lambda ctx: f"text of at least {ctx['min_length']} characters",
    "literal_error": lambda ctx: f"one of {_listed(ctx)}" if " or " in ctx["expected"] else ctx["expected"],
    "too_short": lambda ctx: _sized("at least", ctx["min_length"]),
    "too_long": lambda ctx: _sized("at most", ctx["max_length"]),
}


def explain(errors: Iterable[ErrorDetails], node: Node, known: Iterable[str], deeper: str = "") -> str:
    """One sentence for everything pydantic found at one place: several where a value may be of several types.

    Args:
        errors: the findings, at least one.
        node: the value they are about.
        known: keys that could stand there, for a key that is unknown.
        deeper: the dotted key of a setting of that name further in.
    """
    found = list(errors)
    for error in found:
        if error["type"] == "extra_forbidden":
            return unknown_key(str(error["loc"][-1]), known, deeper)
        if error["type"] == "missing":
            return "must be given"
        if error["type"] in ("value_error", "assertion_error"):
            return str(error["ctx"]["error"])
    needs = dict.fromkeys(_requirement(error) for error in found)
    return f"must be {' or '.join(needs)} (got {_got(node)}){_advice(found, node)}"


def unknown_key(key: str, known: Iterable[str], deeper: str = "") -> str:
    """What to say of a key that is not among those known; ``deeper`` is where a setting of that name is."""
    if deeper:
        return f"unknown key; did you mean '{deeper}'?"
    keys = list(known)
    return f"unknown key{nearest(key, keys) or '; known: ' + (', '.join(keys) or 'none')}"


def _requirement(error: ErrorDetails) -> str:
    if error["type"] in _REQUIREMENTS:
        return _REQUIREMENTS[error["type"]](error.get("ctx", {}))
    return re.sub(r"^(Input|Value|.*?) should (be )?", "", error["msg"])


def _number(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


def _listed(ctx: Mapping[str, Any]) -> str:
    return str(ctx["expected"]).replace(" or ", ", ")


def _sized(bound: str, length: int) -> str:
    return f"a list with {bound} {counted(length, 'entry', 'entries')}"


def _got(node: Node) -> str:
    if node.value == []:
        return "an empty list"
    return written(node.value)


def _advice(errors: Iterable[ErrorDetails], node: Node) -> str:
    """How to mend the two slips that are easiest to overlook: quotes around a number, and a misspelt choice."""
    kinds = {error["type"]: error for error in errors}
    value = node.value
    if not isinstance(value, str):
        return ""
    if kinds.keys() & {"int_type", "float_type"} and re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", value):
        return "; remove the quotes"
    if "literal_error" in kinds:
        return nearest(value, re.findall(r"'([^']*)'", kinds["literal_error"]["ctx"]["expected"]))
    return ""
