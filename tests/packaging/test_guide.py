"""What the pages tell a reader to do works as it stands there."""

import re
import shlex
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from guide import blocks, write_files

from ercframe import FusedSpec, Layout, Stream, StreamSpec
from ercframe.cli.app import run_app

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugins.md"
COMMANDS = [(command, block) for block in blocks(PAGE) for command in block.commands if command.startswith("ercframe ")]
SETUP = (
    "pip install -c constraints.txt -e . && ercframe run recipes/sdt_iemocap.yaml --demo",
    "pip install -c constraints.txt -e '.[test]' && pytest",
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Folder in which a reader has written the page's files."""
    folder = tmp_path_factory.mktemp("reader")
    write_files(PAGE, folder)
    return folder


class TestPluginPage:
    @pytest.mark.parametrize(
        ("command", "block"),
        [
            pytest.param(command, block, id=command, marks=[pytest.mark.slow] if " run " in command else [])
            for command, block in COMMANDS
        ],
    )
    def test_a_command_does_what_the_page_says(self, reader, monkeypatch, capsys, command, block):
        monkeypatch.chdir(reader)
        code = run_app(shlex.split(command)[1:])
        assert code == (2 if block.options.get("class") == "fails" else 0), capsys.readouterr()

    @pytest.mark.slow
    def test_the_refused_run_names_what_nobody_reads(self, reader, monkeypatch, capsys):
        (refused,) = [command for command, block in COMMANDS if block.options.get("class") == "fails"]
        monkeypatch.chdir(reader)
        run_app(shlex.split(refused)[1:])
        message = capsys.readouterr().err
        assert "nobody reads 6 of the 9 streams" in message
        assert "encoder.streams=intra" in message

    def test_its_test_file_passes(self, reader):
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
        done = subprocess.run([*command, "test_tempered_sum.py"], cwd=reader, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 10

    def test_it_says_what_every_kind_is_built_from(self):
        from ercframe.components import KINDS

        text = PAGE.read_text(encoding="utf-8")
        assert [base.__name__ for base in KINDS.values() if f"components.{base.__name__}`" not in text] == []


def test_the_snippets_of_the_concepts_page_run():
    layout = Layout.from_lengths([2, 1])
    names = {
        "context": namedtuple("Context", "layout")(layout),
        "x_ND": torch.randn(3, 4),
        "streams": StreamSpec({Stream("text", "text"): 4}),
        "fused": FusedSpec(4, {"text": 4}),
    }
    for block in blocks(ROOT / "docs" / "concepts.md"):
        if block.language == "python":
            exec(block.text, names)
    assert torch.equal(names["x_ND"], names["y_ND"])


LOOKS = [
    command
    for block in blocks(ROOT / "docs" / "cli.md")
    for command in block.commands
    if command.split()[1] in ("list", "show", "schema")
]


@pytest.mark.parametrize("command", LOOKS)
def test_a_look_at_what_is_installed_works_as_the_page_says(command, capsys):
    assert run_app(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out


class TestReadme:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("command", SETUP)
    def test_it_has_the_two_commands_each_alone_and_ci_runs_them(self, command):
        assert command in self.text.splitlines()
        assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()

    def test_its_plugin_is_the_one_that_the_guide_trains(self):
        (shown,) = [block.text for block in blocks(ROOT / "README.md") if block.language == "python"]
        assert shown == next(block.text for block in blocks(PAGE) if block.file == "weighted_sum.py")

    def test_it_names_every_component_that_comes_with_ercframe(self):
        from ercframe.plugins import load

        names = {entry.component.name for entry in load().entries() if entry.origin.package.startswith("ercframe ")}
        assert {name for name in names if f"`{name}`" not in self.text} == set()

    @pytest.mark.parametrize(
        "page",
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))],
    )
    def test_links_between_pages_lead_somewhere(self, page):
        path = ROOT / page
        targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        assert [target for target in targets if not (path.parent / target).exists()] == []
