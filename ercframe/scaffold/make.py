"""Making the files of a new component: all of them or none, and never over what is there."""

from __future__ import annotations

import importlib.util
import os
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ercframe
from ercframe.data.new_folder import new_folder
from ercframe.errors import InputError, Problem
from ercframe.registry import Registry
from ercframe.scaffold.names import check_kind, check_name, class_name
from ercframe.scaffold.sections import sections, templates


@dataclass(frozen=True)
class Made:
    """What was made.

    Attributes:
        paths: the files, or the folder of the package.
        commands: what to type next, in this order.
    """

    paths: tuple[Path, ...]
    commands: tuple[str, ...]


def make(kind: str, name: str, registry: Registry, *, into: Path = Path(), package: bool = False) -> Made:
    """Make a component: ``NAME.py`` with ``test_NAME.py``, or the folder of a package.

    Args:
        kind: such as ``"fusion"``.
        name: what recipes will call it.
        registry: what is installed; a name that is taken is refused.
        into: the folder to make it in; made where it is not there.
        package: a distribution with tests, documentation, a recipe and continuous integration.

    Raises:
        InputError: the kind is unknown, the name cannot be used, something is in the way, or the folder cannot be
            written.
    """
    check_kind(kind)
    check_name(kind, name, registry, package=package)
    values = _values(kind, name, into, package)
    values |= sections(kind, values)
    _make_package(into / name, values) if package else _make_files(into, values)
    paths = (into / name,) if package else (into / f"{name}.py", into / f"test_{name}.py")
    return Made(paths, _next(values, into, package))


def _values(kind: str, name: str, into: Path, package: bool) -> dict[str, str]:
    """What the templates are filled in with."""
    return {
        "shape": "package" if package else "file",
        "kind": kind,
        "name": name,
        "class": class_name(kind, name),
        "title": name.replace("_", " ").capitalize(),
        "module": f"ercframe_{name}" if package else name,
        "distribution": f"ercframe-{name.replace('_', '-')}",
        "plugin": "" if package else f" --plugin {shlex.quote(str(into / f'{name}.py'))}",
        "ercframe": ercframe.__version__,
    }


def _make_package(folder: Path, values: Mapping[str, str]) -> None:
    if folder.exists():
        raise InputError(f"{folder} must not be there yet; choose another name, or another folder with --into")
    with new_folder(folder, replace=False) as unfinished:
        _copy(unfinished, values)


def _make_files(into: Path, values: Mapping[str, str]) -> None:
    """Make the files of a folder, of which none may be there; one that appears meanwhile is not replaced either."""
    made: list[Path] = []
    try:
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".ercframe-new-", dir=into) as unfinished:
            _copy(Path(unfinished), values)
            files = sorted(Path(unfinished).iterdir())
            taken = [into / file.name for file in files if (into / file.name).exists()]
            if taken:
                raise InputError(
                    f"nothing was made in {into}", [Problem("", str(path), "must not be there yet") for path in taken]
                )
            for file in files:
                _put(file, into / file.name)
                made.append(into / file.name)
    except BaseException as error:  # Ctrl-C, too, leaves nothing
        for path in made:
            path.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise InputError(f"{into} cannot be written: {error.strerror or error}") from None


def _put(file: Path, path: Path) -> None:
    """Give a file its path, where none may be: neither a link nor the mode ``x`` replaces one."""
    try:
        os.link(file, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with path.open("xb") as copy:
            copy.write(file.read_bytes())


def _copy(folder: Path, values: Mapping[str, str]) -> None:
    """Let copier fill ``folder`` from the templates."""
    from copier import run_copy

    run_copy(str(templates()), folder, data=dict(values), defaults=True, overwrite=True, quiet=True)


def _next(values: Mapping[str, str], into: Path, package: bool) -> tuple[str, ...]:
    """What to type next to see it, test it and train it."""
    kind, name, plugin = values["kind"], values["name"], values["plugin"]
    trials = values["commands"].splitlines()
    if package:
        install = [f"cd {shlex.quote(str(into / name))}", "pip install -e '.[docs,test]'", "pytest"]
        looks = [f"ercframe show {kind}/{name}", f"ercframe check {kind}/{name} --badge contract.svg"]
        return (*install, *looks, *trials, "sphinx-build -W docs docs/_build/html")
    file, test = (shlex.quote(str(into / path)) for path in (f"{name}.py", f"test_{name}.py"))
    needs = [] if importlib.util.find_spec("pytest") else ["pip install pytest"]
    return (f"ercframe show {kind}/{name}{plugin}", f"ercframe check {file}", *needs, f"pytest {test}", *trials)
