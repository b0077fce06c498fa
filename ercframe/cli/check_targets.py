"""What ``ercframe check`` was asked to check: the components of a file, or one that is installed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ercframe import plugins
from ercframe.components import KINDS, Component
from ercframe.errors import InputError, Problem, nearest
from ercframe.recipes.overrides import parse_overrides
from ercframe.recipes.settings_check import check_settings
from ercframe.recipes.sources import SourceMap
from ercframe.registry import Failure, Registry
from ercframe.testing.catalogue import checks_of

HINTS = {
    "ModuleNotFoundError": "Install that package into the environment of ercframe, or mend the name in the import.",
    "ImportError": "Names that plugins may use are exported by `ercframe` and `ercframe.nn`.",
    "no function is marked @hookimpl": "`from ercframe import hookimpl`, and decorate the function at the end.",
    "unknown hook": "A plugin has one hook: `@hookimpl def ercframe_components(): return [MyFusion]`.",
    "must return": "The hook returns classes, as in `return [MyFusion]`, not instances, names or None.",
    "must have a description": 'Write `field: float = Field(1.0, description="What it does.")`: users read it.',
    "is provided by": "Set another `name`; recipes tell components apart by it.",
}
"""What to do, by words of the cause."""


def components_of(what: str, others: Sequence[Path], settings: Sequence[str]) -> list[type[Component]]:
    """The components of a plugin file, or the one that KIND/NAME names.

    Args:
        what: the file or the name.
        others: further plugin files.
        settings: given for the component; several cannot share them.

    Raises:
        InputError: there is none, a file cannot be loaded, or settings are not of one component.
    """
    kind, _, name = what.partition("/")
    found = _of_file(Path(what), others) if is_file(what) else [plugins.load(others).get(kind, name)]
    if settings and len(found) > 1:
        listed = ", ".join(f"{c.kind}/{c.name}" for c in found)
        raise InputError(
            f"settings must be of one component ({what} provides {listed}); give KIND/NAME --plugin {what}"
        )
    return found


def _of_file(path: Path, others: Sequence[Path]) -> list[type[Component]]:
    alone = plugins.load([path], entry_points=False)
    problems = [Problem(_where(failure, path), "", failure.cause) for failure in alone.failures]
    problems += [Problem(str(path), "", cause) for cause in _duplicates(alone, plugins.load(others), path)]
    if problems:
        raise InputError(f"{path} cannot be used as a plugin", problems, _hint([p.message for p in problems]))
    components = [entry.component for entry in alone.entries()]
    if not components:
        raise InputError(f"{path} must provide a component (got an empty list from ercframe_components())")
    return components


def settings_of(component: type[Component], given: Sequence[str]) -> dict[str, Any] | None:
    """``KEY=VALUE`` as settings of a component; None where none were given.

    Raises:
        InputError: one is unknown or has a wrong value; lists every problem.
    """
    if not given:
        return None
    tree, findings = parse_overrides(given, "width=64")
    _, wrong = check_settings(component.Config, "", tree)
    if findings or wrong:
        raise SourceMap(f"the settings of {component.kind} '{component.name}'").error([*findings, *wrong])
    plain: dict[str, Any] = tree.plain()
    return plain


def exceptions_of(given: Sequence[str], components: Sequence[type[Component]]) -> dict[str, str]:
    """``NAME=REASON`` of known exceptions.

    Raises:
        InputError: one names no check, or gives no reason.
    """
    names = {check.__name__ for c in components for slow in (False, True) for check in checks_of(c.kind, slow)}
    found, problems = {}, []
    for text in given:
        name, _, reason = text.partition("=")
        if name not in names:
            problems.append(Problem("--except", name, f"must be the name of a check{nearest(name, names)}"))
        elif not reason.strip():
            problems.append(Problem("--except", name, "must give a reason: NAME=REASON"))
        found[name] = reason
    if problems:
        raise InputError("the known exceptions cannot be used", problems)
    return found


def is_file(what: str) -> bool:
    """Whether this is a plugin file."""
    return what.endswith(".py")


def is_component(what: str) -> bool:
    """Whether this is KIND/NAME."""
    kind, slash, _ = what.partition("/")
    return bool(slash) and kind in KINDS and not Path(what).exists()


def _duplicates(alone: Registry, installed: Registry, path: Path) -> Iterator[str]:
    """Names of the file that somebody else has; the file itself, installed as a package, is nobody else."""
    theirs: Mapping[tuple[str, str], Any] = {(e.component.kind, e.component.name): e for e in installed.entries()}
    for entry in alone.entries():
        kind, name = entry.component.kind, entry.component.name
        other = theirs.get((kind, name))
        if other and not Path(inspect.getfile(other.component)).samefile(path):
            yield f"{kind} '{name}' is provided by {path} and by {other.origin}; rename one"


def _where(failure: Failure, path: Path) -> str:
    """The file, with the last of its lines that the error passed."""
    lines = re.findall(rf'File "{re.escape(str(path.resolve()))}", line (\d+)', failure.traceback)
    return f"{path}:{lines[-1]}" if lines else str(path)


def _hint(causes: Sequence[str]) -> str:
    return "\n".join(dict.fromkeys(hint for words, hint in HINTS.items() if any(words in cause for cause in causes)))
