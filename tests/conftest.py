"""What every test may use."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does; read when PyTorch is imported

import torch

from ercframe import Component, Registry, hookimpl
from ercframe.plugins import from_plugins
from ercframe.registry import Origin

ROOT = Path(__file__).parents[1]


# The same examples each time, however long they take; `pytest --hypothesis-profile anew` looks for others.
hypothesis.settings.register_profile(
    "ercframe",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("anew", deadline=None, derandomize=False, max_examples=2000)
hypothesis.settings.load_profile("ercframe")

OF_TERMINALS = (
    "FORCE_COLOR",
    "NO_COLOR",
    "PY_COLORS",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "GITHUB_ACTIONS",
    "TTY_COMPATIBLE",
)
"""Variables by which commands are told to print otherwise."""


def pytest_configure(config: pytest.Config) -> None:
    """Let no test depend on how the tests were started."""
    os.environ["COLUMNS"] = "80"
    for name in OF_TERMINALS:
        os.environ.pop(name, None)
    # Whoever starts the tests in the background makes them deaf to Ctrl-C, which some of them send themselves.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _global_state() -> Iterator[None]:
    """Start every test from the same random state; refuse one that leaves PyTorch's defaults changed."""
    torch.manual_seed(0)
    yield
    assert torch.get_default_dtype() == torch.float32, "a test must restore the default dtype"
    assert torch.is_grad_enabled(), "a test must restore gradient mode"


@pytest.fixture(scope="module")
def no_waiting_for_the_disk() -> Iterator[None]:
    """For tests of what survives a process, not of what survives a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command of ercframe in this process: exit code, standard output, standard error."""
    from ercframe.cli.app import run_app

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run_app([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real corpora: ``$ERCFRAME_TEST_DATA``, or ``shared/data`` beside the repository."""
    folder = Path(os.environ.get("ERCFRAME_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set ERCFRAME_TEST_DATA to its folder")
    return folder


@pytest.fixture
def registry_of() -> Callable[..., Registry]:
    """Make a registry from plugins given as ``name=components``: a list, or anything else the hook might return."""

    def make(**plugins: list[type[Component]] | object) -> Registry:
        return from_plugins(
            (Origin(name), lambda returned=returned: plugin(returned)) for name, returned in plugins.items()
        )

    def plugin(returned: object) -> SimpleNamespace:
        def ercframe_components() -> object:
            return returned

        return SimpleNamespace(ercframe_components=hookimpl(ercframe_components))

    return make
