"""Finding and reading recipe files: what the user names, what is installed, what a recipe extends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path

from ercframe.errors import InputError, nearest
from ercframe.recipes.merge import merge_recipes
from ercframe.recipes.overrides import expand
from ercframe.recipes.sources import Finding, Place, SourceMap, shown
from ercframe.recipes.yaml_tree import Node, parse, written

LARGEST_FILE = 1_000_000


@dataclass(frozen=True)
class Chain:
    """A recipe file laid over the recipes it extends.

    Attributes:
        tree: the recipe, ``demo`` expanded, without ``extends`` and ``plugins``.
        plugins: the plugin files that any of the files names, each where it was written.
        findings: what is wrong so far.
        extends: where the file names the recipe it extends; None where it extends none.
    """

    tree: Node
    plugins: tuple[tuple[Path, Place], ...]
    findings: tuple[Finding, ...]
    extends: Place | None = None


@cache
def installed_folder() -> Path:
    """The folder of the recipes that came with ercframe."""
    return Path(str(resources.files("ercframe_recipes")))


def installed_names() -> tuple[str, ...]:
    """Names of the recipes that came with ercframe, sorted."""
    return tuple(sorted(path.stem for path in installed_folder().glob("*.yaml")))


def find(source: str | Path) -> tuple[Path, list[str]]:
    """The file that ``source`` means: a path, or the name of an installed recipe.

    ``NAME`` and ``recipes/NAME.yaml`` fall back to the installed recipe where there is no such file.

    Returns:
        The path, and a notice where it is not what was literally asked for.

    Raises:
        InputError: there is no such recipe.
    """
    path = Path(source)
    if path.is_file():
        return path, []
    if str(path.parent) in (".", "recipes") and path.suffix in ("", ".yaml") and path.stem in installed_names():
        found = installed_folder() / f"{path.stem}.yaml"
        return found, [f"There is no file {source} here; using the recipe installed with ercframe: {shown(found)}"]
    if path.exists():  # a folder, which cannot be read, or a pipe, which can
        return path, []
    names = installed_names()
    raise InputError(
        f"there is no recipe '{source}'{nearest(path.stem, names)}",
        help=f"Give a file, or the name of an installed recipe: {', '.join(names)}",
    )


def read_chain(path: Path) -> Chain:
    """Read a recipe file and what it extends, and lay them over each other.

    Raises:
        InputError: a file cannot be read at all; everything else is among the chain's findings.
    """
    return _read(path, ())


def _read(path: Path, above: tuple[Path, ...]) -> Chain:
    chain, extends = _read_one(path)
    if extends is None:
        return chain
    parent_path, problems = _parent(extends, path, above)
    chain = replace(chain, findings=(*chain.findings, *problems), extends=extends.place)
    if parent_path is None:
        return chain
    parent = _read(parent_path, (*above, path))
    inherited = replace(parent.tree, value={k: v for k, v in parent.tree.children.items() if k != "name"})
    return Chain(
        merge_recipes(inherited, chain.tree),
        tuple(dict.fromkeys((*parent.plugins, *chain.plugins))),
        (*chain.findings, *parent.findings),
        extends.place,
    )


def _read_one(path: Path) -> tuple[Chain, Node | None]:
    """One file, and its ``extends:`` where it has one."""
    root, findings = parse(read_text(path), Place(shown(path), 1, 1))
    if not isinstance(root.value, dict):
        got = "an empty file" if root.value is None else written(root.value)
        message = f"must be a mapping with keys such as modalities, dataset and encoder (got {got})"
        raise SourceMap(shown(path)).error([*findings, Finding(root.place, "", message)])
    parts = dict(root.value)
    extends, plugins, demo = (parts.pop(key, None) for key in ("extends", "plugins", "demo"))
    if demo is not None:
        parts["demo"], problems = expand(demo)
        findings += problems
    files, problems = named_plugin_files(plugins, path.parent) if plugins else ((), [])
    return Chain(replace(root, value=parts), files, (*findings, *problems)), extends


def _parent(extends: Node, path: Path, above: Iterable[Path]) -> tuple[Path | None, list[Finding]]:
    """The file that ``extends:`` names: one relative to the recipe, or an installed recipe."""
    name = extends.value
    if not isinstance(name, str):
        return None, [
            _finding(extends, f"must be a recipe file or the name of an installed recipe (got {written(name)})")
        ]
    beside = path.parent / name
    if not beside.is_file() and name in installed_names():
        beside = installed_folder() / f"{name}.yaml"
    if not beside.is_file():
        known = [*(p.name for p in sorted(path.parent.glob("*.yaml")) if p != path), *installed_names()]
        return None, [
            _finding(extends, f"must be a recipe file or an installed recipe (got '{name}'){nearest(name, known)}")
        ]
    visited = [*above, path]
    if any(beside.samefile(p) for p in visited):
        circle = " → ".join(p.name for p in (*visited, beside))
        return None, [_finding(extends, f"must not lead back to the recipe itself (got {circle})")]
    return beside, []


def _finding(extends: Node, message: str) -> Finding:
    return Finding(extends.place, "extends", message)


def named_plugin_files(node: Node, folder: Path) -> tuple[tuple[tuple[Path, Place], ...], list[Finding]]:
    """The files that ``plugins:`` names, relative to ``folder``."""
    if not isinstance(node.value, list):
        return (), [Finding(node.place, "plugins", f"must be a list of Python files (got {written(node.value)})")]
    files, findings = [], []
    for i, item in enumerate(node.value):
        if isinstance(item.value, str) and (folder / item.value).is_file():
            files.append((folder / item.value, item.place))
        else:
            message = f"must be an existing Python file, relative to the recipe (got {written(item.value)})"
            findings.append(Finding(item.place, f"plugins[{i}]", message))
    return tuple(files), findings


def read_text(path: Path) -> str:
    """The text of a recipe file.

    Raises:
        InputError: it cannot be opened, is no text in UTF-8, or is far too long for a recipe.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_FILE:
        raise InputError(f"{shown(path)} must be a recipe of at most {LARGEST_FILE} bytes (got more)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise InputError(
            f"{shown(path)} must be text in UTF-8 (got byte {byte:#04x} at offset {error.start})"
        ) from error
