"""ercframe table: pages whose tables come from results files, and the commands beside them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import yaml
from comparing import guesses, labels, run

from ercframe import recipes
from ercframe.cli.app import run_app
from ercframe.comparison import open_runs
from ercframe.comparison.command import command
from ercframe.recipes.resolved import to_yaml
from ercframe.report.tables_in_pages import renewed, results_file

PAGE = """# Scores

<!-- table mine -->
typed by hand
<!-- end of table mine -->

<!-- table other -->
left alone
<!-- end of table other -->
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "docs" / "scores.md"
    path.parent.mkdir()
    path.write_text(PAGE)
    return path


@pytest.fixture
def made(tmp_path):
    label = labels()
    answers = np.stack([guesses(label, 0.7, seed) for seed in range(2)])
    about = {"started": "2026-01-01T00:00:00", "ercframe": "1", "torch": "2", "device": "cpu", "threads": 1}
    return run(tmp_path / "run", label, answers, environment=about)


def refused(capsys, *arguments):
    assert run_app(["table", *map(str, arguments)]) == 2
    return capsys.readouterr().err


class TestTheProjectsPage:
    def test_its_tables_are_what_the_command_writes(self, root):
        page = root / "docs" / "benchmarks.md"
        assert renewed(page) == page.read_text("utf-8"), "write them anew: ercframe table --into docs/benchmarks.md"

    def test_there_is_a_table_for_each_results_file(self, root):
        page = root / "docs" / "benchmarks.md"
        markers = set(re.findall(r"<!-- table (\S+) -->", page.read_text("utf-8")))
        assert markers == {path.stem for path in (root / "docs" / "results").iterdir()}

    def test_every_run_in_it_is_of_real_data_finished_and_has_its_command(self, root):
        for path in (root / "docs" / "results").iterdir():
            found = json.loads(path.read_text("utf-8"))
            for entry in found["runs"]:
                assert not entry["generated"], path
                assert entry["whole"], path
                command = found.get("command") or entry["command"]
                assert command.startswith(("ercframe run recipes/", "ercframe crossval recipes/")), path


class TestPages:
    def test_a_table_is_written_and_the_rest_left_alone(self, page, made):
        assert run_app(["table", str(made), "--into", str(page), "--marker", "mine"]) == 0
        text = page.read_text()
        assert "typed by hand" not in text
        assert text.startswith("# Scores\n\n<!-- table mine -->\n\n**talk, test**\n\n| run |")
        assert text.endswith("\n<!-- table other -->\nleft alone\n<!-- end of table other -->\n")
        assert "Run on 2026-01-01: ercframe 1, PyTorch 2, cpu, 1 thread." in text
        assert json.loads(results_file(page, "mine").read_text())["runs"][0]["name"] == "mine"

    def test_tables_are_written_anew_from_results(self, page, made):
        page.write_text(PAGE.partition("<!-- table other")[0])
        run_app(["table", str(made), "--into", str(page), "--marker", "mine"])
        right = page.read_text()
        page.write_text(right.replace("**talk, test**", "**better than it was**"))
        assert run_app(["table", "--into", str(page)]) == 0
        assert page.read_text() == right

    def test_without_a_page_it_is_printed(self, made, capsys):
        assert run_app(["table", str(made)]) == 0
        assert capsys.readouterr().out.startswith("**talk, test**\n\n| run | seeds |")

    def test_a_marker_that_is_not_there(self, page, made, capsys):
        told = refused(capsys, made, "--into", page, "--marker", "mien")
        assert (
            "'<!-- table mien -->' and '<!-- end of table mien -->' once (it has mine, other; did you mean 'mine'?"
            in told
        )
        assert page.read_text() == PAGE
        assert not results_file(page, "mien").exists()

    def test_a_page_that_is_not_there_and_options_that_do_not_go_together(self, page, made, capsys, tmp_path):
        assert "cannot be read: No such file" in refused(capsys, made, "--into", tmp_path / "no.md", "--marker", "mine")
        assert "--into and --marker go together (got --into alone)" in refused(capsys, made, "--into", page)
        assert "must be given run folders" in refused(capsys)
        assert "results/mine.json cannot be read" in refused(capsys, "--into", page)


class TestCommands:
    def folder(self, made, *overrides, base="bclstm_iemocap", called=None):
        """A run folder of an installed recipe with changes, perhaps under another name."""
        recipe = recipes.load(base, overrides).recipe
        (made / "recipe.yaml").write_text(to_yaml(recipe, []))
        summary = json.loads((made / "summary.json").read_text())
        (made / "summary.json").write_text(json.dumps(summary | {"recipe": called or base}))
        return open_runs([made])[0]

    @pytest.mark.parametrize(
        "changes",
        [
            [],
            ["trainer.epochs=3", "protocol.seeds=[1,4]"],
            ["modalities=[text,audio]", "trainer.optimizer.lr=1e-05", "trainer.patience=3"],
        ],
        ids=str,
    )
    def test_what_was_changed(self, made, changes):
        words = command(self.folder(made, *changes)).split()
        assert words[:3] == ["ercframe", "run", "recipes/bclstm_iemocap.yaml"]
        assert {word.strip("'") for word in words[3:]} == set(changes)

    def test_a_trial_is_repeated_by_its_recipe(self, made):
        found = self.folder(made, "trainer.epochs=3", called="bclstm_iemocap-epochs-3")
        assert command(found) == "ercframe run recipes/bclstm_iemocap.yaml trainer.epochs=3"

    def test_a_recipe_that_only_begins_like_an_installed_one_has_none(self, made):
        assert command(self.folder(made, called="bclstm_iemocap2")) is None

    def test_a_loss_that_was_taken_out_and_another_type(self, made):
        changes = ["losses.distill=null", "fusion.type=gated"]
        words = command(self.folder(made, *changes, base="sdt_iemocap")).split()
        assert set(changes) <= set(words)

    def test_a_setting_that_did_not_exist_then_is_left_out(self, made):
        found = self.folder(made, "trainer.epochs=3")
        older = {**found.recipe, "trainer": {k: v for k, v in found.recipe["trainer"].items() if k != "clip_norm"}}
        assert command(replace(found, recipe=older)).endswith("bclstm_iemocap.yaml trainer.epochs=3")

    def test_a_recipe_of_ones_own_or_a_setting_that_is_no_more(self, made):
        assert command(open_runs([made])[0]) is None
        found = self.folder(made)
        odd = yaml.safe_load(yaml.safe_dump(dict(found.recipe)))
        odd["encoder"]["gone"] = 1
        assert command(replace(found, recipe=odd)) is None

    def test_trackers_are_no_part_of_it(self, made):
        assert command(self.folder(made, "trackers=[{type: tensorboard}]")) == (
            "ercframe run recipes/bclstm_iemocap.yaml"
        )

    def test_no_plugin_file_that_a_run_folder_names_is_run(self, made, tmp_path):
        found = self.folder(made)
        (tmp_path / "evil.py").write_text("raise SystemExit('its code ran')")
        for odd in ({"": {"plugins": [str(tmp_path / "evil.py")]}}, {"plugins.0": str(tmp_path / "evil.py")}):
            assert command(replace(found, recipe={**found.recipe, **odd})) == "ercframe run recipes/bclstm_iemocap.yaml"
