"""Which components there are, where each came from, and which plugins could not be loaded."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ercframe.components import KINDS, Component, ComponentConfig
from ercframe.errors import InputError
from ercframe.errors import nearest as nearest  # also read from here by what stands above

RESERVED_FIELDS = {"type": "names the component in a recipe", "weight": "weighs a loss in a recipe"}


@dataclass(frozen=True)
class Origin:
    """Where a plugin came from.

    Attributes:
        plugin: entry point name, file path, or what a test called it.
        package: distribution and version, such as ``"ercframe 0.1.0"``; empty for a loose file.
        file: the loose file, which a run keeps a copy of; None for an installed plugin.
    """

    plugin: str
    package: str = ""
    file: Path | None = None

    def __str__(self) -> str:
        return f"{self.package} ({self.plugin})" if self.package else self.plugin


@dataclass(frozen=True)
class Entry:
    """A registered component and its origin."""

    component: type[Component]
    origin: Origin


@dataclass(frozen=True)
class Failure:
    """A plugin that could not be loaded.

    Attributes:
        origin: where it came from.
        cause: what is wrong, in one line.
        traceback: empty where its code ran and only broke a rule.
        provides: what it would have provided, as ``"kind/name"``, where it came so far.
    """

    origin: Origin
    cause: str
    traceback: str = ""
    provides: tuple[str, ...] = ()

    def may_provide(self, kind: str, name: str) -> bool:
        """Whether it would have provided this component, or says so in the name of its entry point."""
        return f"{kind}/{name}" in self.provides or self.origin.plugin == f"{kind}-{name}"


class Registry:
    """Components by kind and name. Made once, then never changed: a factory, not a global.

    A name that two plugins claim belongs to neither: using it is an error that names both.
    """

    def __init__(self, entries: Iterable[Entry] = (), failures: Sequence[Failure] = ()) -> None:
        claims: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            claims.setdefault((entry.component.kind, entry.component.name), []).append(entry)
        self._entries = {key: owners[0] for key, owners in claims.items() if len(owners) == 1}
        self._contested = {key: owners for key, owners in claims.items() if len(owners) > 1}
        self.failures = (*failures, *self._duplicates())

    def _duplicates(self) -> Iterator[Failure]:
        for kind, name in self._contested:
            owners = self._contested[kind, name]
            yield Failure(owners[-1].origin, self._contest(kind, name))

    def owners(self, kind: str, name: str) -> tuple[Origin, ...]:
        """The plugins that claim a name: none where it is free, several where it is contested."""
        claims = self._contested.get((kind, name)) or [e for e in self.entries(kind) if e.component.name == name]
        return tuple(entry.origin for entry in claims)

    def _contest(self, kind: str, name: str) -> str:
        owners = " and by ".join(str(entry.origin) for entry in self._contested[kind, name])
        return f"{kind} '{name}' is provided by {owners}; rename one"

    def names(self, kind: str) -> tuple[str, ...]:
        """Names of one kind, sorted."""
        return tuple(sorted(name for k, name in self._entries if k == kind))

    def entries(self, kind: str | None = None) -> tuple[Entry, ...]:
        """Components of one kind, or of all in the order of the data flow, sorted by name."""
        kinds = [kind] if kind else list(KINDS)
        return tuple(self._entries[k, name] for k in kinds for name in self.names(k))

    def entry(self, kind: str, name: str) -> Entry:
        """One component with its origin.

        Raises:
            InputError: there is none of this name; says what is wrong with it and the nearest name.
        """
        if (kind, name) not in self._entries:
            raise InputError(self.why_unknown(kind, name))
        return self._entries[kind, name]

    def get(self, kind: str, name: str) -> type[Component]:
        """One component's class; raises as :meth:`entry` does."""
        return self.entry(kind, name).component

    def why_unknown(self, kind: str, name: str) -> str:
        """Why ``name`` cannot be used: contested, misspelt, or perhaps lost with a plugin that failed to load."""
        if kind not in KINDS:
            return f"unknown kind '{kind}'; kinds: {', '.join(KINDS)}{nearest(kind, KINDS)}"
        if (kind, name) in self._contested:
            return self._contest(kind, name)
        if lost := [
            f"{failure.origin}: {failure.cause}" for failure in self.failures if failure.may_provide(kind, name)
        ]:
            return f"{kind} '{name}' comes from a plugin that failed to load: {'; '.join(lost)}"
        text = f"unknown {kind} '{name}'{nearest(name, self.names(kind)) or '.'}"
        text += f" Installed: {', '.join(self.names(kind)) or 'none'}."
        failed = [f"{failure.origin}: {failure.cause}" for failure in self.failures]
        return f"{text} Plugins that failed to load: {'; '.join(failed)}" if failed else text


def faults(component: object) -> Iterator[str]:
    """What keeps an object that a plugin returned from being a usable component."""
    if not (isinstance(component, type) and issubclass(component, Component)):
        yield f"ercframe_components() must return component classes (got {component!r})"
        return
    label = component.__name__
    if not any(issubclass(component, base) for base in KINDS.values()):
        yield f"{label} must subclass one of {', '.join(base.__name__ for base in KINDS.values())}"
        return
    if inspect.isabstract(component):
        yield f"{label} must implement {', '.join(sorted(component.__abstractmethods__))}"
    name = getattr(component, "name", None)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(name or "")):
        yield f"{label}.name must be lower case letters, digits and underscores (got {name!r})"
    if not component.__dict__.get("__doc__"):
        yield f"{label} must have a docstring"
    if component.kind == "loss" and not getattr(component, "terms", ()):
        yield f"{label}.terms must name the terms it returns"
    yield from _config_faults(label, component)


def _config_faults(label: str, component: type[Component]) -> Iterator[str]:
    config = component.Config
    if not (isinstance(config, type) and issubclass(config, ComponentConfig)):
        yield f"{label}.Config must subclass ComponentConfig (got {config!r})"
        return
    for name, field in config.model_fields.items():
        if not field.description:
            yield f"{label}.Config.{name} must have a description"
        if name in RESERVED_FIELDS and not (name == "weight" and component.kind != "loss"):
            yield f"{label}.Config must not have a field '{name}', which {RESERVED_FIELDS[name]}"
