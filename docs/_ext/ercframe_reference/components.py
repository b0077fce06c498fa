"""One page for each component, and one for each kind that lists them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from pydantic import BaseModel

from ercframe.components import KINDS, Component
from ercframe.registry import Entry, Registry

from .rst import title, toctree

CATALOGUE = ".. erc-catalogue:: {}\n   :from: ercframe\n"


def pages(registry: Registry) -> dict[str, str]:
    """The pages of the components that come with ercframe, whatever else is installed."""
    found = {kind: [e for e in registry.entries(kind) if e.origin.package.startswith("ercframe ")] for kind in KINDS}
    found = {kind: entries for kind, entries in found.items() if entries}
    result = {"components.rst": _overview(found)}
    for kind, entries in found.items():
        result[f"{kind}/index.rst"] = _kind_page(kind, entries)
        result |= {f"{kind}/{entry.component.name}.rst": _component_page(entry) for entry in entries}
    return result


def _overview(found: dict[str, list[Entry]]) -> str:
    parts = [title("Components"), toctree(f"{kind}/index" for kind in found)]
    for kind in found:
        parts += [title(kind.capitalize(), "-"), CATALOGUE.format(kind)]
    return "\n".join(parts)


def _kind_page(kind: str, entries: list[Entry]) -> str:
    base = KINDS[kind]
    return "\n".join(
        [
            title(kind.capitalize()),
            f"{base.summary()}\n\nA plugin of this kind subclasses :class:`~{base.__module__}.{base.__name__}`.\n",
            CATALOGUE.format(kind),
            toctree(e.component.name for e in entries),
        ]
    )


def _component_page(entry: Entry) -> str:
    component = entry.component
    parts = [title(component.name), f".. erc-component:: {component.kind}/{component.name}\n   :no-contents-entry:\n"]
    blocks = list(_blocks(component))
    return "\n".join([*parts, *([title("Made of", "-"), *blocks] if blocks else [])])


def _blocks(component: type[Component]) -> Iterator[str]:
    """The other public classes and functions of the component's module, which its docstring may refer to."""
    for name, value in vars(sys.modules[component.__module__]).items():
        is_own = getattr(value, "__module__", None) == component.__module__ and not name.startswith("_")
        if is_own and inspect.isclass(value) and not issubclass(value, Component | BaseModel):
            yield f".. autoclass:: {component.__module__}.{name}\n"
        elif is_own and inspect.isfunction(value) and name != "ercframe_components":
            yield f".. autofunction:: {component.__module__}.{name}\n"
