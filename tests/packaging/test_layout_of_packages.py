"""What pyproject.toml says is what the folders hold, and imports go the allowed way."""

import ast
import importlib
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGE_FOLDERS = {name: ROOT / folder for name, folder in PROJECT["tool"]["setuptools"]["package-dir"].items()}
ENTRY_POINTS = PROJECT["project"]["entry-points"]["ercframe"]
PLUGINS = PACKAGE_FOLDERS["ercframe_plugins"]
ALLOWED_IN_PLUGINS = {"ercframe", "ercframe_plugins", "torch", "pydantic", "einops", "numpy", *sys.stdlib_module_names}


def modules(package: str) -> dict[str, Path]:
    """Dotted name of every module of a top-level package, and its file."""
    folder = PACKAGE_FOLDERS[package]
    return {dotted(package, path.relative_to(folder)): path for path in sorted(folder.rglob("*.py"))}


def dotted(package: str, relative: Path) -> str:
    parts = [package, *relative.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports, also inside functions."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }


def test_every_folder_with_code_is_packaged():
    packaged = PROJECT["tool"]["setuptools"]["packages"]
    folders = {
        dotted(package, path.relative_to(folder))
        for package, folder in PACKAGE_FOLDERS.items()
        for path in folder.rglob("__init__.py")
    }
    assert sorted(packaged) == sorted(folders)


def test_every_file_of_code_is_in_a_package():
    stray = [
        str(path.relative_to(ROOT))
        for folder in PACKAGE_FOLDERS.values()
        for path in folder.rglob("*.py")
        if not (path.parent / "__init__.py").is_file()
    ]
    assert stray == []


def test_every_other_file_in_a_package_is_package_data():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    stray = [
        str(path.relative_to(ROOT))
        for package, folder in PACKAGE_FOLDERS.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
        if path not in {found for pattern in patterns.get(package, []) for found in folder.glob(pattern)}
    ]
    assert stray == []


def test_every_plugin_module_is_an_entry_point():
    marked = [name for name, path in modules("ercframe_plugins").items() if "@hookimpl" in path.read_text("utf-8")]
    assert sorted(ENTRY_POINTS.values()) == sorted(marked)


@pytest.mark.parametrize(("name", "module"), ENTRY_POINTS.items(), ids=ENTRY_POINTS)
def test_an_entry_point_is_named_after_what_it_provides(name, module):
    components = importlib.import_module(module).ercframe_components()
    assert [f"{component.kind}-{component.name}" for component in components] == [name]


def test_the_core_imports_no_plugin():
    guilty = {
        name: found
        for name, path in modules("ercframe").items()
        if (found := {module for module in imported(path) if module.partition(".")[0] == "ercframe_plugins"})
    }
    assert guilty == {}


@pytest.mark.parametrize("name", modules("ercframe_plugins"))
def test_a_plugin_imports_only_what_any_plugin_may(name):
    found = imported(modules("ercframe_plugins")[name])
    assert {module.partition(".")[0] for module in found} <= ALLOWED_IN_PLUGINS
    assert {module for module in found if module.startswith("ercframe.")} <= {"ercframe.nn"}


def test_every_part_of_the_core_has_its_layer():
    (layered,) = [c for c in PROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    listed = {name for layer in layered["layers"] for name in layer.split(" | ")}
    parts = {".".join(name.split(".")[:2]) for name in modules("ercframe")} - {"ercframe", "ercframe.__main__"}
    assert listed == parts


def test_import_directions_hold():
    api = pytest.importorskip("importlinter.api", reason="import-linter comes with the development tools")
    contracts = api.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    assert {contract["type"] for contract in contracts} == {"forbidden", "layers"}
    from importlinter.application.use_cases import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)


def test_test_files_have_names_of_their_own():
    """pytest imports them as top-level modules: two of one name cannot be collected together."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py")
    assert [name for name, times in names.items() if times > 1] == []
