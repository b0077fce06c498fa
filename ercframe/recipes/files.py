"""Finding and reading recipe files: what the user names, what is installed, what a recipe extends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path

from ercframe.errors import InputError, nearest
from ercframe.recipes.ablations import expand_ablations
from ercframe.recipes.merge import merge_recipes
from ercframe.recipes.overrides import expand
from ercframe.recipes.sources import Finding, Place, SourceMap, shown
from ercframe.recipes.yaml_tree import Node, parse, written

LARGEST_FILE = 1_000_000


@dataclass(frozen=True)
class Chain:
    """A recipe file laid over the recipes it extends.

    Attributes:
        tree: the recipe, ``demo`` and ``ablations`` expanded, without ``extends`` and ``plugins``.
        plugins: the plugin files that any of the files names.
        findings: what is wrong so far.
        extends: where the file names the recipe it extends; None where it extends none.
    """

    tree: Node
    plugins: tuple[Path, ...]
    findings: tuple[Finding, ...]
    extends: Place | None = None


@cache
def installed_folder() -> Path:
    """The folder of the recipes that came with ercframe."""
    return Path(str(resources.files("ercframe_recipes")))


def installed_files() -> list[Path]:
    """The files of these recipes and of the parts that they extend, sorted."""
    return sorted(path for path in installed_folder().rglob("*.yaml") if path.parent != label_maps_folder())


def label_maps_folder() -> Path:
    """The folder of the label maps that came with ercframe."""
    return installed_folder() / "labels"


def installed_names() -> tuple[str, ...]:
    """Names of the recipes that came with ercframe, sorted."""
    return tuple(sorted(path.stem for path in installed_folder().glob("*.yaml")))


def installed_summary(name: str) -> str:
    """The first line of an installed recipe's comment, without the command in it."""
    comments = read_text(installed_folder() / f"{name}.yaml").splitlines()[1:2]
    return comments[0].removeprefix("# ").partition("  ercframe run")[0] if comments else ""


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
    if path.is_dir():
        raise InputError(f"{source} must be a recipe file, or a run folder with recipe.yaml in it (got another folder)")
    if path.exists():  # a pipe
        return path, []
    names = installed_names()
    if "=" in str(source):
        raise InputError(f"a recipe must come before its changes: RECIPE {source} (got no recipe)")
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
    parents, problems = _parents(extends, path, (*above, path))
    below = Chain(Node({}, implied=True), (), ())
    for parent in parents:
        below = _over(below, _read(parent, (*above, path)))
    nameless = replace(below.tree, value={k: v for k, v in below.tree.children.items() if k != "name"})
    chain = _over(replace(below, tree=nameless), chain)
    return replace(chain, findings=(*chain.findings, *problems), extends=extends.place)


def _over(below: Chain, above: Chain) -> Chain:
    return Chain(
        merge_recipes(below.tree, above.tree),
        tuple(dict.fromkeys((*below.plugins, *above.plugins))),
        (*below.findings, *above.findings),
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
        parts["demo"], problems = expand(demo, "demo")
        findings += problems
    if ablations := parts.get("ablations"):
        parts["ablations"], problems = expand_ablations(ablations)
        findings += problems
    files, problems = named_plugin_files(plugins, path.parent) if plugins else ((), [])
    return Chain(replace(root, value=parts), files, (*findings, *problems)), extends


def _parents(extends: Node, path: Path, visited: tuple[Path, ...]) -> tuple[list[Path], list[Finding]]:
    """The files that ``extends:`` names, one or several: relative to the recipe, or installed recipes."""
    parents, findings = [], []
    for node in extends.value if isinstance(extends.value, list) else [extends]:
        parent = _parent(node.value, path) if isinstance(node.value, str) else None
        if parent is None:
            message = f"must be a recipe file or the name of an installed recipe (got {written(node.value)})"
            known = [*(p.name for p in sorted(path.parent.glob("*.yaml")) if p != path), *installed_names()]
            findings.append(Finding(node.place, "extends", message + nearest(str(node.value), known)))
        elif any(parent.samefile(p) for p in visited):
            circle = " → ".join(p.name for p in (*visited, parent))
            findings.append(Finding(node.place, "extends", f"must not lead back to the recipe itself (got {circle})"))
        else:
            parents.append(parent)
    return parents, findings


def _parent(name: str, path: Path) -> Path | None:
    beside, installed = path.parent / name, installed_folder() / f"{name}.yaml"
    if beside.is_file():
        return beside
    return installed if name in installed_names() else None


def named_plugin_files(node: Node, folder: Path) -> tuple[tuple[Path, ...], list[Finding]]:
    """The files that ``plugins:`` names, relative to ``folder``."""
    if not isinstance(node.value, list):
        return (), [Finding(node.place, "plugins", f"must be a list of Python files (got {written(node.value)})")]
    files, findings = [], []
    for i, item in enumerate(node.value):
        if isinstance(item.value, str) and (folder / item.value).is_file():
            files.append(folder / item.value)
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
