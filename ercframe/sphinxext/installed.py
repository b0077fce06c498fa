"""What is installed, as one build of the documentation sees it."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import ercframe
from ercframe import plugins
from ercframe.components import Component
from ercframe.recipes.files import installed_names
from ercframe.registry import Registry

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment


def registry_of(env: BuildEnvironment) -> Registry:
    """The components of installed packages and of the files in ``erc_plugins``.

    Raises:
        InputError: a file of ``erc_plugins`` does not exist.
    """
    return load(plugin_files(env.config))


def plugin_files(config: Config) -> tuple[Path, ...]:
    """The files of ``erc_plugins``."""
    return tuple(map(Path, config.erc_plugins))


def place_files(app: Sphinx, config: Config) -> None:
    """Let the files that ``conf.py`` names be relative to it, wherever Sphinx was started."""
    config.erc_plugins = [str(Path(app.confdir) / file) for file in config.erc_plugins]
    if isinstance(config.erc_contract, str):
        config.erc_contract = str(Path(app.confdir) / config.erc_contract)


def load(files: tuple[Path, ...]) -> Registry:
    """Load plugins; once for each version of the files, since a build asks for every page."""
    return _load(files, tuple(file.stat().st_mtime_ns for file in files if file.is_file()))


@cache
def _load(files: tuple[Path, ...], changed: tuple[int, ...]) -> Registry:
    return plugins.load(files)


def source_file(component: type[Component]) -> Path:
    """The file that defines a component."""
    return Path(inspect.getfile(component))


def fingerprint(registry: Registry) -> str:
    """Changes when anything changes that a page may show: what is installed, from where, and its source."""
    lines = [
        f"{entry.component.kind}/{entry.component.name} {entry.origin} {digest(entry.component)}"
        for entry in registry.entries()
    ]
    return hashlib.sha256("\n".join([*lines, *installed_names()]).encode()).hexdigest()


def digest(component: type[Component]) -> str:
    """A hash of all source that a component's behaviour can depend on: the framework's and its own package's."""
    file = source_file(component)
    package = component.__module__.partition(".")[0]
    top = getattr(importlib.import_module(package), "__file__", None) if "." in component.__module__ else None
    own = _digest(Path(top).parent) if top else hashlib.sha256(file.read_bytes()).hexdigest()
    return hashlib.sha256(f"{_digest(Path(ercframe.__file__).parent)} {own}".encode()).hexdigest()


@cache
def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()
