"""Environments that hold the built wheel and nothing else of the project."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment: what was installed into it, and the dependencies of the environment the tests run in."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def install(self, *what: Path | str) -> None:
        """Install without asking any index."""
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", "-q"]
        _run([*pip, "--no-deps", "--no-index", "--no-build-isolation", *what], ROOT)

    def ercframe(self, *arguments: str | Path, expect: int = 0) -> str:
        """Run the installed command from ``/``; what it printed, followed by what it complained."""
        return _run([self.folder / "bin" / "ercframe", *arguments], Path("/"), expect)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that no ``build`` folder is left in the source tree."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("ercframe", "plugins", "recipes"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", source / "dist", source], source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="session")
def new_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Environment]:
    """Make an environment with the wheel; of the environment around the tests it sees the dependencies only."""
    dependencies = tmp_path_factory.mktemp("dependencies")
    # Several folders where the environment around the tests is laid over another one.
    for folder in (Path(place) for place in sys.path if Path(place).name == "site-packages"):
        for path in folder.iterdir():
            if not path.name.startswith(("ercframe", "__editable__")) and not (dependencies / path.name).exists():
                (dependencies / path.name).symlink_to(path)

    def make() -> Environment:
        folder = tmp_path_factory.mktemp("environment")
        _run([sys.executable, "-m", "venv", "--without-pip", folder], folder)
        (site_packages,) = folder.glob("lib/python*/site-packages")
        (site_packages / "dependencies.pth").write_text(f"{dependencies}\n")
        environment = Environment(folder)
        environment.install(wheel)
        return environment

    return make


@pytest.fixture(scope="session")
def environment(new_environment: Callable[[], Environment]) -> Environment:
    """One environment for tests that install nothing more."""
    return new_environment()


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The built documentation and what Sphinx complained of. From a copy: nothing is generated into the source tree."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("_build", "generated"))
    # Without the verdicts of the contract suite, which test_sphinxext.py looks at: they take longer than all the rest.
    command = [sys.executable, "-m", "sphinx", "-q", "-D", "erc_contract=0", folder / "docs", folder / "html"]
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html", done.stderr


@pytest.fixture(scope="session")
def site(built_site: tuple[Path, str]) -> Path:
    """The built pages."""
    return built_site[0]


def _run(command: list[Path | str], cwd: Path, expect: int = 0) -> str:
    """Run a command; what it printed, followed by what it complained."""
    settings = {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=inherited | settings, capture_output=True, text=True)
    if done.returncode != expect:
        pytest.fail(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr
