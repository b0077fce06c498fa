"""Which packages are installed, beside what ercframe requires and what it was tested with."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from ercframe.doctor.problems import Ailment

State = Literal["tested", "untested", "too old", "missing"]
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,-]+\])?(?:>=([\w.]+))?(?:\s*;\s*extra == ['\"]([\w-]+)['\"])?")
UNCONCERNED = frozenset({"all", "dev", "docs", "test"})
"""Extras that only gather others, or serve the project's own development."""


@dataclass(frozen=True)
class Package:
    """A package that ercframe, or one of its extras, requires.

    Attributes:
        name: its distribution.
        extra: the extra that requires it; empty for what is always required.
        minimum: the lowest version that is allowed; empty where any is.
        tested: the version that ercframe was tested with; empty where that is not known.
        installed: the version that is there; empty where none is.
    """

    name: str
    extra: str
    minimum: str
    tested: str
    installed: str

    @property
    def state(self) -> State:
        """``untested`` is another release series (the first two numbers) than the one that was tested."""
        if not self.installed:
            return "missing"
        if self.minimum and _numbers(self.installed) < _numbers(self.minimum):
            return "too old"
        same = not self.tested or _numbers(self.installed)[:2] == _numbers(self.tested)[:2]
        return "tested" if same else "untested"


def packages() -> list[Package]:
    """Every direct requirement, in the order in which ercframe declares them."""
    tested = tested_versions()
    found = []
    for name, minimum, extra in requirements(importlib.metadata.requires("ercframe") or []):
        if extra not in UNCONCERNED:
            found.append(Package(name, extra, minimum, tested.get(_canonical(name), ""), installed_version(name)))
    return found


def requirements(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Name, minimum and extra of requirements such as ``av>=14; extra == "audio"``, the form that ercframe uses."""
    for line in lines:
        if match := _REQUIREMENT.fullmatch(line.strip()):
            yield match[1], match[2] or "", match[3] or ""


def tested_versions() -> dict[str, str]:
    """Version by canonical name, of everything that the tests ran with; a copy of ``constraints.txt`` is installed."""
    text = (resources.files("ercframe.doctor") / "tested.txt").read_text(encoding="utf-8")
    pins = (line.partition("==") for line in text.splitlines() if line and not line.startswith("#"))
    return {_canonical(name): version for name, _, version in pins}


def installed_version(name: str) -> str:
    """The installed version without its local part (``+cpu``); empty where there is none."""
    try:
        return (importlib.metadata.version(name) or "").partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return ""


def extras(found: Iterable[Package]) -> dict[str, list[str]]:
    """What each extra still lacks."""
    lacking: dict[str, list[str]] = {}
    for package in found:
        if package.extra:
            lacking.setdefault(package.extra, []).extend([package.name] if package.state == "missing" else [])
    return lacking


def ailments(found: Iterable[Package]) -> Iterator[Ailment]:
    """What is missing, too old, or another series than the tested one; an extra that is not there is none."""
    found = list(found)
    for package in found:
        if package.state == "too old" or (package.state == "missing" and not package.extra):
            needed = f"{package.name}>={package.minimum}" if package.minimum else package.name
            yield Ailment("error", f"{needed} is required (got {package.installed or 'none'})", _install(package))
    untested = {p.name: f"{p.name} {p.installed} (tested {p.tested})" for p in found if p.state == "untested"}
    if untested:
        yield Ailment(
            "warning",
            f"other versions than those that ercframe was tested with: {', '.join(untested.values())}",
            "nothing, unless something fails; then install with `-c constraints.txt`",
        )


def _install(package: Package) -> str:
    extra = f"[{package.extra}]" if package.extra else ""
    return f"pip install -c constraints.txt 'ercframe{extra}'"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (2, 13, 0) of 2.13.0rc1."""
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[a-z+]", version.lower())[0]))
