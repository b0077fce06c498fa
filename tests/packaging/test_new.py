"""What ``ercframe new`` makes passes its tests, the contract suite, ruff and mypy as it is; what it prints works."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from guide import blocks

from ercframe import Registry
from ercframe.cli.app import run_app
from ercframe.components import KINDS
from ercframe.scaffold import make
from ercframe.scaffold.names import LONGEST

ROOT = Path(__file__).parents[2]
NOTHING = Registry()
SHORT = ["trainer.epochs=1", "protocol.seeds=1"]


def checked(command, folder):
    """Run a tool of the environment around the tests, as one would who has ercframe installed."""
    outside = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    settings = {"MYPYPATH": f"{ROOT}:{ROOT / 'plugins'}", "OMP_NUM_THREADS": "1", "PYTHONPATH": "src"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, env=outside | settings
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file and its test of every kind, in one folder."""
    folder = tmp_path_factory.mktemp("files")
    for kind in KINDS:
        make(kind, f"my_{kind}", NOTHING, into=folder)
    return folder


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A package of every kind."""
    folder = tmp_path_factory.mktemp("packages")
    for kind in KINDS:
        make(kind, f"my_{kind}", NOTHING, into=folder, package=True)
    return folder


def test_the_files_of_every_kind_pass_their_tests(files):
    shown = checked(["pytest", "-v", "-W", "error", "-p", "no:cacheprovider"], files)
    for kind in KINDS:
        assert f"test_my_{kind}.py::test_contract[{kind}/my_{kind}" in shown


@pytest.mark.parametrize("package", [False, True], ids=["file", "package"])
@pytest.mark.parametrize("name", ["x", "a" * LONGEST])
def test_ruff_has_nothing_to_say_whatever_the_name(tmp_path, name, package):
    pytest.importorskip("ruff", reason="ruff comes with the development tools")
    for kind in KINDS:
        make(kind, name, NOTHING, into=tmp_path / kind, package=package)
        folder = tmp_path / kind / (name if package else "")
        checked(["ruff", "check", "--no-cache", "."], folder)
        checked(["ruff", "format", "--no-cache", "--check", "."], folder)


class TestPage:
    page = ROOT / "docs" / "new.md"

    def test_it_prints_what_the_page_says(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (shown,) = [block.text for block in blocks(self.page) if "\nMade " in block.text]
        command, _, printed = shown.partition("\n")
        assert run_app(shlex.split(command.removeprefix("$ ercframe "))) == 0
        assert capsys.readouterr().out == printed

    def test_its_six_commands_are_those_of_a_package(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        first, *typed = next(block.commands for block in blocks(self.page) if block.commands)
        made = make("fusion", "my_gate", NOTHING, package=True)
        assert first.endswith(f" && {made.commands[0]}")
        assert [command for command in made.commands[1:] if not command.startswith("ercframe show")] == typed

    def test_it_names_every_kind(self):
        text = self.page.read_text("utf-8")
        assert [kind for kind in KINDS if f"| `{kind}` |" not in text] == []


@pytest.mark.slow
def test_mypy_has_nothing_to_say(files, packages, tmp_path):
    pytest.importorskip("mypy", reason="mypy comes with the development tools")
    # Errors inside ercframe are left out, as they are where it is installed.
    mypy = ["mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path)]
    checked([*mypy, *(path.name for path in sorted(files.glob("*.py")))], files)
    for kind in KINDS:
        checked(mypy, packages / f"my_{kind}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_commands_that_it_prints_work(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_app(["new", kind, "mine"]) == 0
    said, *commands = [line.strip() for line in capsys.readouterr().out.splitlines() if line]
    assert said == "Made mine.py and test_mine.py. Next:"
    assert commands[0] == f"ercframe show {kind}/mine --plugin mine.py"
    assert commands[1:3] == ["ercframe check mine.py", "pytest test_mine.py"]
    for command in [*commands[:2], *commands[3:]]:
        tool, *arguments = shlex.split(command)
        if tool == "ercframe":
            arguments += SHORT if arguments[0] == "run" else []
            assert run_app(arguments) == 0, capsys.readouterr()
        else:
            subprocess.run(command, shell=True, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_installed_tested_and_trained(packages, kind, new_environment, tmp_path):
    """Away from the others: what is installed beside it must not change what it is."""
    environment, folder = new_environment(), tmp_path / "copy"
    shutil.copytree(packages / f"my_{kind}", folder)
    environment.install(folder)
    assert f"ercframe-my-{kind} 0.1.0" in environment.ercframe("list", kind)
    tests = [environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]
    done = subprocess.run(list(map(str, tests)), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
