"""A fusion that is no part of the project is listed, shown, validated and trained: from a package, and from a file."""

import json
from pathlib import Path

import pytest
from guide import write_files

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
SMALL = ["--demo", "dataset.train=12", "dataset.dev=4", "dataset.test=4", "encoder.width=16", "trainer.epochs=2"]
SWAP = ["fusion.type=weighted_sum", "encoder.streams=intra", "protocol.seeds=1"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The files of the guide: a plugin, and the project that makes a package of it."""
    folder = tmp_path_factory.mktemp("project")
    write_files(PAGE, folder)
    return folder


@pytest.fixture(scope="module", params=["package", "file"])
def outsider(request, project, new_environment):
    """An environment that knows the plugin, what each command needs to know it by, and where it says it came from."""
    environment = new_environment()
    if request.param == "package":
        environment.install(project)
        return environment, [], "erc-weighted-sum 0.1.0"
    file = project / "weighted_sum.py"
    return environment, ["--plugin", file], str(file)


@pytest.fixture(scope="module")
def run_folder(outsider, tmp_path_factory):
    """The folder of a run that trained the plugin in SDT's place."""
    environment, known_by, _ = outsider
    runs = tmp_path_factory.mktemp("runs")
    environment.ercframe("run", "sdt_iemocap", *SMALL, *SWAP, *known_by, "--out", runs)
    (folder,) = runs.glob("sdt_iemocap/*")
    return folder


def test_it_is_listed_with_its_origin(outsider):
    environment, known_by, origin = outsider
    row = next(
        line for line in environment.ercframe("list", "fusion", *known_by).splitlines() if "weighted_sum" in line
    )
    assert origin in row


def test_it_is_shown(outsider):
    environment, known_by, origin = outsider
    shown = environment.ercframe("show", "fusion/weighted_sum", *known_by)
    assert shown.startswith(f"fusion 'weighted_sum' from {origin}")
    assert "Mix the modalities with one learned weight each." in shown


def test_a_recipe_that_names_it_is_validated(outsider):
    environment, known_by, _ = outsider
    assert "fusion: {type: weighted_sum}" in environment.ercframe("show", "sdt_iemocap", *SWAP, *known_by)
    complaint = environment.ercframe("show", "sdt_iemocap", *SWAP, "fusion.widht=3", *known_by, expect=2)
    assert "fusion.widht" in complaint


def test_it_trains_and_the_run_says_where_it_came_from(outsider, run_folder):
    _, _, origin = outsider
    made_of = json.loads((run_folder / "environment.json").read_text())["components"]
    assert origin in made_of["fusion/weighted_sum"]
    assert made_of["encoder/intra_inter_transformer"].startswith("ercframe 0.1.0")
    predictions = (run_folder / "seed-0" / "predictions.jsonl").read_text().splitlines()
    weights = json.loads(predictions[0])["weights"]["modality"]
    assert sum(weights) == pytest.approx(1, abs=1e-5)


def test_the_run_can_be_repeated_from_its_folder(outsider, run_folder, tmp_path):
    outsider[0].ercframe("run", run_folder, "--out", tmp_path)
    (again,) = tmp_path.glob("*/*")
    first, second = (
        json.loads((f / "seed-0" / "metrics.jsonl").read_text().splitlines()[-1]) for f in (run_folder, again)
    )
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_without_it_the_recipe_is_refused_with_the_names_there_are(environment):
    complaint = environment.ercframe("show", "sdt_iemocap", "fusion.type=weighted_sum", expect=2)
    assert "weighted_sum" in complaint
    assert "hierarchical_gated" in complaint


def test_a_package_that_cannot_be_imported_hurts_nobody(project, new_environment, tmp_path):
    (tmp_path / "pyproject.toml").write_text((project / "pyproject.toml").read_text())
    (tmp_path / "weighted_sum.py").write_text("import a_package_that_nobody_has")
    environment = new_environment()
    environment.install(tmp_path)
    shown = environment.ercframe("list", "fusion")
    assert "hierarchical_gated" in shown
    assert "erc-weighted-sum 0.1.0" in shown
    assert "No module named 'a_package_that_nobody_has'" in shown
