"""Distributions that are damaged, or there more than once, so that one hides the other."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ercframe.doctor.problems import Ailment


def ailments() -> Iterator[Ailment]:
    """What cannot be read, and copies of ercframe and of distributions with plugins that nobody sees."""
    yield from _damaged()
    for name, places in _distributions().items():
        if len(places) > 1:
            yield _ailment(f"distribution {name}", places)
    folders = list(dict.fromkeys(str(place) for place in _folders("ercframe")))
    if len(folders) > 1:
        yield _ailment("package ercframe", folders)


def _damaged() -> Iterator[Ailment]:
    """Entry points that cannot be read: PyTorch, which reads those of all distributions, then cannot be imported."""
    for distribution in importlib.metadata.distributions():
        try:
            list(distribution.entry_points)
        except Exception as error:  # whatever a damaged file leads to
            where = getattr(distribution, "_path", "")
            yield Ailment(
                "error",
                f"the entry points of {_name(distribution)} cannot be read: {type(error).__name__}: {error}",
                f"install it again, or remove {where}",
            )


def _ailment(what: str, places: list[str]) -> Ailment:
    used, *hidden = places
    return Ailment(
        "warning",
        f"{what} is there {len(places)} times: {used} is used, {', '.join(hidden)} is hidden",
        "`pip uninstall` it as often as it is found, then install it once; look at PYTHONPATH, too",
    )


def _distributions() -> dict[str, list[str]]:
    """Where each distribution that concerns ercframe is described, in the order of the path."""
    places: dict[str, list[str]] = {}
    for distribution in importlib.metadata.distributions():
        name, where = _name(distribution), str(getattr(distribution, "_path", ""))
        if (name == "ercframe" or _has_plugins(distribution)) and where not in places.setdefault(name, []):
            places[name].append(where)
    return places


def _name(distribution: importlib.metadata.Distribution) -> str:
    """The canonical name; of a damaged one, as its folder is called."""
    folder = Path(str(getattr(distribution, "_path", ""))).name
    try:
        name = distribution.metadata["Name"] or ""
    except Exception:  # whatever a damaged file leads to
        name = ""
    return re.sub(r"[-_.]+", "-", name or folder.partition("-")[0]).lower()


def _has_plugins(distribution: importlib.metadata.Distribution) -> bool:
    try:
        return any(point.group == "ercframe" for point in distribution.entry_points)
    except Exception:  # told by _damaged
        return False


def _folders(package: str) -> Iterator[Path]:
    """The folders of a package on the path, the one in use first."""
    used = sys.modules[package].__file__
    if used:
        yield Path(used).resolve().parent
    for place in sys.path:
        folder = Path(place or ".").resolve() / package
        if (folder / "__init__.py").is_file():
            yield folder
