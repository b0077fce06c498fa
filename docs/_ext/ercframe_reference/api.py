"""The public names of the Python API, by what they are for."""

from __future__ import annotations

import inspect
from importlib import import_module

import ercframe
from ercframe import nn, testing

from .rst import title

SECTIONS = {
    "Kinds of component": "components",
    "What passes between components": "tensors layout",
    "What parts promise each other": "specs",
    "Dialogues": "data.dialogue",
    "Bundles": "data.reader data.findings",
    "For importers": "data.records data.npz",
    "For extractors": "data.views data.fitted extras",
    "Settings": "settings",
    "Registry": "registry",
    "Errors": "errors",
}
"""Heading to modules of ``ercframe``; public names from any other module stand under "Other"."""

PLUGINS = """\
.. autodata:: ercframe.plugins.hookimpl
   :no-value:

.. autoclass:: ercframe.plugins.Hooks
   :members:

.. autofunction:: ercframe.plugins.load
"""


def pages() -> dict[str, str]:
    """One page: the hooks, and every name that ``ercframe``, ``ercframe.nn`` and ``ercframe.testing`` export."""
    homes = {"Part": "components", **ercframe._HOME}
    other = " ".join(set(homes.values()) - {"plugins", *" ".join(SECTIONS.values()).split()})
    parts = [title("Python API"), "Import these names from ``ercframe``.\n"]
    for heading, modules in {**SECTIONS, "Other": other}.items():
        objects = [found for module in modules.split() for found in _public(module, homes)]
        parts += [title(heading, "-"), *(_directive(*found) for found in objects)] if objects else []
    parts += [title("Plugins", "-"), PLUGINS]
    for module, heading in {nn: "Blocks for plugins", testing: "For the tests of plugins"}.items():
        parts += [title(heading, "-"), f"Import these from ``{module.__name__}``.\n"]
        parts += [_directive(f"{module.__name__}.{name}", getattr(module, name)) for name in module.__all__]
    return {"api.rst": "\n".join(parts)}


def _public(module: str, homes: dict[str, str]) -> list[tuple[str, object]]:
    """Path and value of a module's public names, in the order in which it defines them."""
    defined = vars(import_module(f"ercframe.{module}"))
    return [(f"ercframe.{module}.{name}", defined[name]) for name in defined if homes.get(name) == module]


def _directive(path: str, item: object) -> str:
    if inspect.isclass(item):
        return f".. autoclass:: {path}\n   :members:\n"
    return f".. {'autofunction' if inspect.isroutine(item) else 'autodata'}:: {path}\n"
