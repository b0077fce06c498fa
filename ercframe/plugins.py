"""Finding plugins: installed packages by entry point, loose files by path."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import pluggy

from ercframe.components import Component
from ercframe.errors import InputError, nearest
from ercframe.registry import Entry, Failure, Origin, Registry, faults

GROUP = "ercframe"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Hooks:
    """Every hook that ercframe calls."""

    @hookspec
    def ercframe_components(self) -> Iterable[type[Component]]:  # type: ignore[empty-body]
        """Return the component classes of this plugin; each class's base says its kind."""


class UnusablePluginError(Exception):
    """A plugin loaded but does not keep the contract of the hook; ``provides`` as in :class:`Failure`."""

    def __init__(self, cause: str, provides: tuple[str, ...] = ()) -> None:
        self.provides = provides
        super().__init__(cause)


def load(files: Sequence[Path] = (), *, entry_points: bool = True) -> Registry:
    """Load plugins and list their components.

    A plugin that fails is recorded in ``Registry.failures`` and hurts nobody else.

    Args:
        files: loose plugin files.
        entry_points: whether installed packages are asked, too.

    Raises:
        InputError: a loose file does not exist.
    """
    return from_plugins(sources(files, entry_points=entry_points))


def sources(files: Sequence[Path] = (), *, entry_points: bool = True) -> list[tuple[Origin, Callable[[], object]]]:
    """Every plugin there is, as its origin and a function that loads it. Arguments and errors as :func:`load`."""
    missing = [str(f) for f in files if not f.is_file()]
    if missing:
        raise InputError(f"plugin file not found: {', '.join(missing)}")
    found: list[tuple[Origin, Callable[[], object]]] = []
    if entry_points:
        found = [(_origin(point), point.load) for point in importlib.metadata.entry_points(group=GROUP)]
    unique = dict.fromkeys(f.resolve() for f in files)
    return found + [(Origin(str(f), file=f), partial(_import_file, f)) for f in unique]


def from_plugins(sources: Iterable[tuple[Origin, Callable[[], object]]]) -> Registry:
    """Make a registry from plugins, each given as its origin and a function that loads it (what tests use)."""
    entries: list[Entry] = []
    failures: list[Failure] = []
    for origin, load_plugin in sources:
        try:
            entries += [Entry(component, origin) for component in _components(load_plugin(), origin.plugin)]
        except (UnusablePluginError, pluggy.PluginValidationError) as error:
            failures.append(Failure(origin, str(error), provides=getattr(error, "provides", ())))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a foreign module may raise anything while it is imported
            cause = f"{type(error).__name__}: {error}"
            failures.append(Failure(origin, cause, traceback.format_exc()))
    return Registry(entries, failures)


def _components(plugin: object, name: str) -> list[type[Component]]:
    """Ask one plugin, in a manager of its own so that its mistakes stay its own."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Hooks)
    manager.register(plugin, name)
    if pending := [caller.name for caller in manager.get_hookcallers(plugin) or () if not caller.has_spec()]:
        known = [hook for hook in vars(Hooks) if hook.startswith(GROUP)]
        raise UnusablePluginError("; ".join(f"unknown hook '{hook}'{nearest(hook, known)}" for hook in pending))
    implementations = manager.hook.ercframe_components.get_hookimpls()
    if not implementations:
        raise UnusablePluginError(
            "no function is marked @hookimpl; write `@hookimpl def ercframe_components(): return [...]`"
        )
    found = implementations[0].function()
    if not isinstance(found, Iterable):
        raise UnusablePluginError(f"ercframe_components() must return a list of component classes (got {found!r})")
    components = list(found)
    problems = [problem for component in components for problem in faults(component)]
    if problems:
        raise UnusablePluginError("; ".join(problems), tuple(map(_key, components)))
    return components


def _key(component: object) -> str:
    return f"{getattr(component, 'kind', '')}/{getattr(component, 'name', '')}"


def _origin(point: importlib.metadata.EntryPoint) -> Origin:
    return Origin(point.name, _label(point.dist) if point.dist else "")


def _label(distribution: importlib.metadata.Distribution) -> str:
    """Name and version, such as ``"ercframe 0.1.0"``; of a damaged distribution the name of its folder."""
    try:
        if name := distribution.metadata["Name"]:
            return f"{name} {distribution.metadata['Version']}"
    except Exception:  # whatever a damaged file leads to
        pass
    return Path(str(getattr(distribution, "_path", "unknown"))).stem.replace("-", " ")


def _import_file(path: Path) -> ModuleType:
    """Import a loose file under a name of its own.

    The module stays in ``sys.modules``: pydantic and dataclasses look annotations up there.
    """
    name = f"ercframe_file_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UnusablePluginError(f"a plugin file must be a Python file ending in .py (got {path.name})")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
