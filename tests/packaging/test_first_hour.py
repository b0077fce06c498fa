"""The first hour of an author: the wheel, a new package, an edit, install, check, train, document. All of it real."""

import html
import re
import subprocess

import pytest

pytestmark = pytest.mark.slow
SHORT = [
    "dataset.train=12",
    "dataset.dev=4",
    "dataset.test=4",
    "encoder.width=16",
    "trainer.epochs=2",
    "protocol.seeds=1",
]
MEANING = "Makes the weights more equal, the higher it is."


@pytest.fixture(scope="module")
def author(new_environment):
    """A new environment with the wheel of ercframe, and nothing else of it."""
    return new_environment()


@pytest.fixture(scope="module")
def package(author, tmp_path_factory):
    """``my_gate/`` as the command makes it, edited by its author and installed."""
    desk = tmp_path_factory.mktemp("desk")
    said = author.ercframe("new", "fusion", "my_gate", "--package", "--into", desk)
    assert said.startswith(f"Made {desk / 'my_gate'}. Next:")
    folder = desk / "my_gate"
    module = folder / "src" / "ercframe_my_gate" / "my_gate.py"
    text = module.read_text("utf-8")
    edited = text.replace("Above 1 makes the weights more equal.", MEANING).replace("Mix the modalities", "Weigh them")
    assert edited.count(MEANING) == 1
    module.write_text(edited, "utf-8")
    author.install(folder)
    return folder


def test_it_is_listed_and_shown_as_edited(author, package):
    assert "ercframe-my-gate 0.1.0" in author.ercframe("list", "fusion")
    shown = author.ercframe("show", "fusion/my_gate")
    assert "Weigh them with one learned weight each." in shown
    assert MEANING in " ".join(shown.split())


def test_its_own_tests_pass(author, package):
    command = [author.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(list(map(str, command)), cwd=package, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 20


def test_the_contract_is_kept_and_the_readme_gets_its_badge(author, package):
    shown = author.ercframe("check", "fusion/my_gate", "--badge", package / "contract.svg")
    assert "0 failed" in shown
    assert "passed" in (package / "contract.svg").read_text("utf-8")
    assert "![ercframe contract](contract.svg)" in (package / "README.md").read_text("utf-8")


def test_it_trains_in_sdts_place(author, package, tmp_path):
    swap = ["--demo", "fusion.type=my_gate", *SHORT, "--out", tmp_path]
    shown = author.ercframe("run", "sdt_iemocap", *swap)
    assert "run folder: " in shown
    (recipe,) = tmp_path.glob("sdt_iemocap/*/recipe.yaml")
    assert "my_gate" in recipe.read_text("utf-8")


def test_its_recipe_trains(author, package, tmp_path):
    author.ercframe("run", package / "recipes" / "my_gate.yaml", "--demo", *SHORT, "--out", tmp_path)
    assert list(tmp_path.glob("my_gate/*/summary.json"))


def test_its_page_shows_the_component(author, package):
    sphinx = [author.python, "-m", "sphinx", "-q", "-W", "docs", "docs/_build/html"]
    done = subprocess.run(list(map(str, sphinx)), cwd=package, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (package / "docs" / "_build" / "html" / "index.html").read_text("utf-8")
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    assert "temperature" in text
    assert MEANING in text
    assert "Weigh them with one learned weight each." in text


def test_doctor_finds_it_and_nothing_wrong(author, package):
    shown = author.ercframe("doctor")
    assert "1 from ercframe-my-gate 0.1.0" in shown
