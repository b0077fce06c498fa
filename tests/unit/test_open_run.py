"""Opening what a run trained, and what is said where that cannot be done."""

import json
import shutil

import pytest
import small_runs
import torch

from ercframe import InputError
from ercframe.build import assemble
from ercframe.evaluate import record, rows
from ercframe.loading import TrainedRun

RECIPE = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 6, "dev": 3, "test": 3, "labels": 4},
    "encoder": {"type": "identity", "width": 4},
    "fusion": {"type": "gated"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy", "class_weights": "inverse_frequency"}},
    "trainer": {"epochs": 2, "batch_dialogues": 4, "device": "cpu"},
    "protocol": {"seeds": 3},
}
PLUGIN = """
import pathlib
pathlib.Path(__file__).with_suffix(".ran").touch()
from ercframe import hookimpl
@hookimpl
def ercframe_components():
    return []
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return small_runs.train(tmp_path_factory.mktemp("trained"), RECIPE)


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def test_the_weights_give_the_recorded_predictions_again(run):
    opened = TrainedRun.open(run)
    experiment = assemble(opened.loaded)
    for seed in opened.seeds:
        learner, epoch = opened.learner(seed, experiment.info, torch.device("cpu"))
        assert not learner.training
        assert epoch == opened.summary["seeds"][seed]["selected"]["epoch"]
        dev = experiment.splits.dev
        found = record(learner, dev, 4, torch.device("cpu"))
        again = list(rows(found, dev, "dev", experiment.info.labels))
        assert json.loads(json.dumps(again)) == opened.folder.seed(seed).read_predictions("dev")


def test_the_seed_is_the_best_on_dev_whatever_test_says(run):
    def change(summary):
        for entry, dev in zip(summary["seeds"], (0.2, 0.6, 0.4), strict=True):
            entry["selected"]["dev"]["weighted_f1"] = dev
            entry["selected"]["test"]["weighted_f1"] = 1 - dev

    small_runs.edit_summary(run, change)
    chosen = TrainedRun.open(run).choose_seed()
    assert (chosen.seed, chosen.why) == (1, "the best of 3 by weighted F1 on dev")
    assert TrainedRun.open(run).choose_seed(2).seed == 2


def test_without_dev_it_is_the_first(run):
    small_runs.edit_summary(run, lambda summary: [entry["selected"].pop("dev") for entry in summary["seeds"]])
    assert TrainedRun.open(run).choose_seed().why == "the first, for want of dev"


def test_another_seed_is_refused(run):
    with pytest.raises(InputError, match=r"^--seed must be one of the run's seeds, 0, 1, 2 \(got 7\)$"):
        TrainedRun.open(run).choose_seed(7)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda run: (run / "recipe.yaml").unlink(), "must be a run folder"),
        (lambda run: (run / "summary.json").unlink(), "has no trained seed yet"),
        (lambda run: small_runs.edit_summary(run, lambda summary: summary["seeds"].clear()), "has no trained seed yet"),
        (lambda run: (run / "summary.json").write_text("{"), r"summary.json cannot be read: Expecting"),
    ],
)
def test_a_folder_in_which_nothing_is_trained(run, spoil, told):
    spoil(run)
    with pytest.raises(InputError, match=told):
        TrainedRun.open(run)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.unlink(), r"weights.safetensors cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), r"weights.safetensors cannot be read"),
    ],
)
def test_weights_that_are_missing_or_damaged(run, spoil, told):
    opened = TrainedRun.open(run)
    spoil(opened.folder.seed(0).checkpoint("best"))
    with pytest.raises(InputError, match=told):
        opened.learner(0, assemble(opened.loaded).info, torch.device("cpu"))


def test_weights_of_another_recipe(run):
    text = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(text.replace("width: 4", "width: 8"))
    opened = TrainedRun.open(run)
    with pytest.raises(InputError, match=r"do not fit the recipe beside them:\n(.|\n)*size mismatch"):
        opened.learner(0, assemble(opened.loaded).info, torch.device("cpu"))


def test_plugin_files_run_only_if_somebody_trusts_them(run):
    (run / "plugins").mkdir()
    (run / "plugins" / "mine.py").write_text(PLUGIN)
    with (run / "recipe.yaml").open("a") as file:
        file.write("plugins: [plugins/mine.py]\n")
    with pytest.raises(InputError, match=r"plugin files, whose code would run: .*mine.py\n(.|\n)*--trust-plugins"):
        TrainedRun.open(run)
    assert not (run / "plugins" / "mine.ran").exists()
    TrainedRun.open(run, trust_plugins=True)
    assert (run / "plugins" / "mine.ran").exists()


def test_predictions_that_cannot_be_read(run):
    seed = TrainedRun.open(run).folder.seed(0)
    (seed.path / "predictions.jsonl").write_text("{")
    with pytest.raises(InputError, match=r"predictions.jsonl cannot be read"):
        seed.read_predictions("dev")


def test_what_is_no_run_folder_is_told(tmp_path):
    (tmp_path / "runs" / "2026-01-01_00-00-00").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, told in {
        "gone": "there is no such folder",
        "file": "it is a file",
        "empty": "it has no recipe.yaml; a run that was stopped before that was written has trained nothing",
    }.items():
        with pytest.raises(InputError, match=f"must be a run folder .{told}"):
            TrainedRun.open(tmp_path / name)
    (run := tmp_path / "runs" / "2026-01-01_00-00-00" / "recipe.yaml").touch()
    with pytest.raises(InputError, match=f"got a folder of runs; name one of them, such as {run.parent}"):
        TrainedRun.open(tmp_path / "runs")
    with pytest.raises(
        InputError, match=f"got a folder of recipes' folders; name one of them, such as {run.parents[1]}"
    ):
        TrainedRun.open(tmp_path)
