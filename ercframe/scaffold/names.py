"""Which names a new component may have."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ercframe.components import KINDS
from ercframe.errors import InputError, Problem, nearest
from ercframe.registry import Registry
from ercframe.scaffold.sections import kinds

LONGEST = 24
"""Longer ones would break the lines of what is made, and of tables."""


def check_kind(kind: str) -> None:
    """Refuse a kind that there is no template for.

    Raises:
        InputError: names the kinds there are.
    """
    if kind not in kinds():
        raise InputError(f"unknown kind '{kind}'{nearest(kind, kinds())}", help=f"Kinds: {', '.join(kinds())}")


def check_name(kind: str, name: str, registry: Registry, *, package: bool) -> None:
    """Refuse a name that cannot be that of a module, of a distribution, and of a component that is not there yet.

    Raises:
        InputError: lists every rule that the name breaks.
    """
    rules = list(_broken_rules(name, package)) + list(_taken(kind, name, registry))
    if rules:
        raise InputError(f"'{name}' cannot be the name of a new {kind}", [Problem("", "NAME", rule) for rule in rules])


def class_name(kind: str, name: str) -> str:
    """``my_gate`` of kind fusion as ``MyGateFusion``; the kind's own class never, so that nothing hides it."""
    words = "".join(part.capitalize() for part in name.split("_"))
    base = KINDS[kind].__name__
    return words if words.endswith(base) and words != base else words + base


def _broken_rules(name: str, package: bool) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        yield f"must be lower case letters, digits and single underscores between them, a letter first (got {name!r})"
    elif keyword.iskeyword(name):
        yield f"must not be a word of Python's own (got {name!r})"
    elif not package and _hides(name):
        yield f"must not be the name of an importable module, which {name}.py would hide from its neighbours"
    if len(name) > LONGEST:
        yield f"must be at most {LONGEST} characters (got {len(name)})"


def _hides(name: str) -> bool:
    """Whether a file of this name would hide a module that is installed; one in the current directory is none."""
    if name in sys.stdlib_module_names:
        return True
    found = importlib.util.find_spec(name)
    return found is not None and not (found.origin and Path(found.origin).parent == Path.cwd())


def _taken(kind: str, name: str, registry: Registry) -> Iterator[str]:
    if owners := " and ".join(str(origin) for origin in registry.owners(kind, name)):
        yield f"must not be taken: there is a {kind} '{name}' in {owners}"
