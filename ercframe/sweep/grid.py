"""``--grid KEY=VALUE,VALUE``: every combination of the values, each with a name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from ercframe.errors import InputError, Problem
from ercframe.recipes.fields import in_yaml
from ercframe.recipes.overrides import is_key
from ercframe.recipes.sources import COMMAND_LINE
from ercframe.recipes.yaml_tree import parse
from ercframe.runs import digest
from ercframe.sweep.plan import Changes
from ercframe.wording import counted

LONGEST_NAME = 80


def grid(axes: Sequence[str]) -> dict[str, Changes]:
    """Every combination, the last axis varying fastest; without axes one setting that changes nothing.

    Args:
        axes: as ``trainer.optimizer.lr=1e-3,3e-4``; the values are the items of a YAML list without its brackets, so
            that a value with commas stands in brackets or quotes of its own: ``modalities=[text],[text,audio]``.

    Returns:
        Changes by name.

    Raises:
        InputError: lists every axis that cannot be read.
    """
    values: dict[str, list[str]] = {}
    problems = []
    for axis in axes:
        key, _, text = axis.partition("=")
        try:
            if key in values:
                raise ValueError("must be given once (got it twice)")
            values[key] = _values(key, text)
        except ValueError as error:
            problems.append(Problem("--grid", key if is_key(key) else axis, str(error)))
    if problems:
        raise InputError(f"{counted(len(problems), 'problem')} in the grid", problems)
    changes = [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]
    return dict(zip(names(changes), changes, strict=True))


def names(settings: Sequence[Changes]) -> list[str]:
    """A name for each setting, as a recipe may have it: keys as short as they can be told apart, and values."""
    keys = list(dict.fromkeys(key for changes in settings for key in changes))
    short = {key: _last(key) if [_last(k) for k in keys].count(_last(key)) == 1 else key for key in keys}
    return _different(
        ["_".join(f"{short[key]}-{_plain(value)}" for key, value in changes.items()) for changes in settings]
    )


def plainly(texts: Sequence[str]) -> list[str]:
    """Any texts as names that a recipe may have, all different."""
    return _different([_plain(text) for text in texts])


def _different(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        name = _cut(name) or "only"
        same = sum(other == name or other.startswith(f"{name}__") for other in found)
        found.append(f"{name}__{same + 1}" if same else name)
    return found


def _values(key: str, text: str) -> list[str]:
    if not is_key(key) or not text.strip():
        raise ValueError("must be KEY=VALUE,VALUE, such as trainer.optimizer.lr=1e-3,3e-4")
    try:
        node, findings = parse(f"[{text}]", COMMAND_LINE)
    except InputError as error:
        raise ValueError(error.problems[0].message) from None
    if findings:
        raise ValueError(findings[0].message)
    values = [in_yaml(value) for value in node.plain()]
    twice = [value for value in dict.fromkeys(values) if values.count(value) > 1]
    if twice:
        raise ValueError(f"must have different values (got {twice[0]} more than once)")
    return values


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _plain(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+]+", "-", value).strip("-")


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}-{digest(name.encode())[:8]}"
