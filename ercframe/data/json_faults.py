"""What is wrong with JSON that a person or another program wrote, as ercframe says it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ercframe.errors import Problem, nearest

_LONGEST = 60  # characters of a value in an error


def problems_of(error: ValidationError, where: str = "", known: Iterable[str] = ()) -> Iterator[Problem]:
    """One problem for each thing that pydantic found.

    Args:
        error: its findings.
        where: the place of the value, such as ``talk.jsonl:3``.
        known: the keys that a mapping may have, to suggest the nearest for one that is unknown.
    """
    for details in error.errors(include_url=False):
        yield Problem(where, ".".join(map(str, details["loc"])), _explained(details, tuple(known)))


def _explained(error: ErrorDetails, known: tuple[str, ...]) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown key{nearest(str(error['loc'][-1]), known)}"
    if error["type"] == "missing":
        return "must be given"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    rule = error["msg"].removeprefix("Input should be ")
    got = f"(got {written(error['input'])})"
    return f"must be {rule} {got}" if rule != error["msg"] else f"{rule} {got}"


def written(value: Any) -> str:
    """A value, short enough for an error: text in single quotes, anything else as JSON has it."""
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def parse_strictly(text: str) -> Any:
    """Parse JSON as its standard has it: no NaN, and no key twice, where Python would take the last.

    Raises:
        ValueError: it is something else; says what and where.
    """
    try:
        return json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"must be JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("must be JSON that is not nested so deeply") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"must have a key once (got '{next(key for key in keys if keys.count(key) > 1)}' again)")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"must be JSON, which has no {name}; use null for what is not known")
