"""Putting together all that is found, and what is wrong with it."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ercframe
from ercframe.doctor import distributions, surroundings, versions
from ercframe.doctor.probing import TIMEOUT, Found, probe
from ercframe.doctor.problems import Ailment
from ercframe.doctor.versions import Package

SHOWN_LINES = 6
"""Last lines of a traceback that are shown."""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found.

    Attributes:
        program: versions and places of ercframe and Python, and the system.
        packages: direct requirements.
        found: what importing PyTorch and the plugins showed.
        settings: environment variables that matter.
        places: where ercframe writes.
        terminal: what standard output takes.
        ailments: what is wrong, errors first.
    """

    program: dict[str, str]
    packages: tuple[Package, ...]
    found: Found
    settings: dict[str, str]
    places: dict[str, dict[str, Any]]
    terminal: dict[str, Any]
    ailments: tuple[Ailment, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is broken; there may be warnings."""
        return not any(ailment.level == "error" for ailment in self.ailments)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "healthy": self.healthy,
            "problems": [asdict(ailment) for ailment in self.ailments],
            "program": self.program,
            "packages": [asdict(package) | {"state": package.state} for package in self.packages],
            "extras": {extra: {"missing": lacking} for extra, lacking in versions.extras(self.packages).items()},
            "torch": self.found.torch,
            "plugins": self.found.plugins,
            "settings": self.settings,
            "places": self.places,
            "terminal": self.terminal,
        }


def examine(files: Sequence[Path] = (), timeout: float = TIMEOUT) -> Diagnosis:
    """Look at everything.

    Args:
        files: loose plugin files to load besides the installed plugins.
        timeout: seconds that importing PyTorch, or one plugin, may take.
    """
    packages, found = _packages(), probe(files, timeout)
    places, terminal = surroundings.places(), surroundings.terminal()
    ailments = [
        *versions.ailments(packages),
        *_imports(found),
        *distributions.ailments(),
        *surroundings.ailments(places, terminal["encoding"]),
    ]
    return Diagnosis(
        program=_program(),
        packages=tuple(packages),
        found=found,
        settings=surroundings.settings(),
        places=places,
        terminal=terminal,
        ailments=tuple(sorted(ailments, key=lambda ailment: ailment.level)),
    )


def _program() -> dict[str, str]:
    return {
        "ercframe": ercframe.__version__,
        "installed in": str(Path(ercframe.__file__).parent),
        "python": platform.python_version(),
        "interpreter": sys.executable,
        "system": platform.platform(),
    }


def _packages() -> list[Package]:
    """The requirements; none where ercframe is not installed but merely on the path."""
    try:
        return versions.packages()
    except importlib.metadata.PackageNotFoundError:
        return []


def _imports(found: Found) -> Iterator[Ailment]:
    """PyTorch, and plugins, that cannot be imported; names claimed twice; an ercframe that is not installed."""
    if found.trouble:
        yield Ailment("error", found.trouble, "install ercframe again in a new environment")
    if "cause" in found.torch:
        yield Ailment(
            "error",
            f"PyTorch cannot be imported: {found.torch['cause']}",
            "install it again, in the build for this machine: pip install --force-reinstall torch",
            _last_lines(found.torch["traceback"]),
        )
    elif not any(plugin["package"].startswith("ercframe ") for plugin in found.plugins):
        yield Ailment("error", "ercframe's own components are not installed", "pip install it again")
    for plugin in found.plugins:
        yield from _of_plugin(plugin)
    for cause in found.contested:
        yield Ailment("error", cause, "uninstall one of them, or rename a component; until then neither can be used")


def _of_plugin(plugin: dict[str, Any]) -> Iterator[Ailment]:
    if "cause" in plugin:
        yield Ailment(
            "error",
            f"plugin {plugin['origin']} cannot be used: {plugin['cause']}",
            "mend it, ask its authors, or uninstall it; everything else works without it",
            _last_lines(plugin["traceback"]),
        )
    if plugin["printed"].strip():
        first = plugin["printed"].strip().splitlines()[0]
        yield Ailment(
            "warning",
            f"plugin {plugin['origin']} prints while it is imported: {first!r}",
            "it spoils what commands such as `ercframe schema` print; take the print out",
        )


def _last_lines(traceback: str) -> str:
    return "\n".join(traceback.strip().splitlines()[-SHOWN_LINES:])
