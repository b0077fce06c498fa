"""The wheel holds everything it needs, and runs away from the source tree."""

import zipfile
from email import message_from_string

import pytest


@pytest.fixture(scope="session")
def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_code_plugins_recipes_types_and_licence_alone(contents):
    tops = {name.partition("/")[0] for name in contents}
    assert tops == {"ercframe", "ercframe_plugins", "ercframe_recipes", "ercframe-0.1.0.dist-info"}
    assert {"ercframe/py.typed", "ercframe_plugins/py.typed", "ercframe_recipes/sdt_iemocap.yaml"} <= set(contents)
    assert "ercframe-0.1.0.dist-info/licenses/LICENSE" in contents


def test_its_metadata_has_the_readme_and_the_licence(contents):
    metadata = message_from_string(contents["ercframe-0.1.0.dist-info/METADATA"].decode())
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "emotion" in metadata.get_payload()


def test_it_runs_from_the_environment_it_was_installed_into(environment):
    assert environment.ercframe("--version") == "ercframe 0.1.0\n"


@pytest.mark.slow
def test_it_lists_its_components(environment):
    shown = environment.ercframe("list")
    assert all(name in shown for name in ("intra_inter_transformer", "hierarchical_gated", "self_distillation"))


@pytest.mark.slow
def test_it_trains_an_installed_recipe(environment, tmp_path):
    shown = environment.ercframe(
        "run", "sdt_iemocap", "--demo", "trainer.epochs=1", "protocol.seeds=1", "--out", tmp_path / "runs"
    )
    (summary,) = tmp_path.glob("runs/sdt_iemocap/*/summary.json")
    assert "GENERATED DATA" in shown
    assert summary.is_file()
