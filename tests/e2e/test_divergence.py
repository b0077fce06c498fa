"""A loss that is no longer finite: told with epoch, batch, term and dialogues, and traced to the operation."""

import json
from pathlib import Path

import pytest
import yaml

from ercframe.cli.app import run_app

# From its ninth batch on, the first of the third epoch, it takes the logarithm of a negative number, or a square root
# at 0, where the derivative is infinite.
PLUGIN = """
import torch
from pydantic import Field
from torch import nn

from ercframe import ComponentConfig, Encoder, Stream, Streams, StreamSpec, hookimpl


class Breaking(Encoder):
    \"\"\"Break after a while.\"\"\"

    name = "breaking"
    sees_future = False

    class Config(ComponentConfig):
        fault: str = Field("none", description="forward, backward, or none.")
        after: int = Field(8, description="Batches that go well.")

    def __init__(self, config, dataset):
        super().__init__()
        self.config, self.spec = config, StreamSpec({Stream("text", "text"): 4})
        self.project = nn.Linear(dataset.modalities["text"], 4)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, features, context):
        x = self.project(features["text"])
        if self.training:
            self.seen += 1
        late = (self.seen > self.config.after).float() * self.training
        if self.config.fault == "forward":
            x = x + torch.log(1 - 2 * late)
        if self.config.fault == "backward":
            x = x + torch.sqrt((1 - late) + (x - x.detach()).square())
        return Streams({Stream("text", "text"): x})


@hookimpl
def ercframe_components():
    return [Breaking]
"""
RECIPE = {
    "modalities": ["text"],
    "dataset": {"type": "synthetic", "train": 12, "dev": 4, "test": 4, "labels": 4},
    "encoder": {"type": "breaking"},
    "fusion": {"type": "concat"},
    "classifier": {"type": "mlp", "hidden": [8], "dropout": 0.3},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 4, "batch_dialogues": 3, "optimizer": {"lr": 0.01}, "device": "cpu"},
    "protocol": {"seeds": 1},
    "plugins": ["breaking.py"],
}


@pytest.fixture
def recipe(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("breaking.py").write_text(PLUGIN)
    Path("tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    return "tiny.yaml"


def run(capsys, *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = run_app(["run", *arguments])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("saved_every", ["60", "0"], ids=["from the beginning", "from a state"])
def test_an_infinite_loss_is_told_and_traced(recipe, capsys, saved_every):
    code, error = run(capsys, recipe, "encoder.fault=forward", f"trainer.checkpoint_seconds={saved_every}")
    assert code == 1
    assert "epoch 3, batch 1: the loss must be finite (got NaN or Inf in task.nll)" in error
    (folder,) = Path("runs/tiny").iterdir()
    found = json.loads((folder / "seed-0/diverged.json").read_text())
    assert (found["epoch"], found["batch"], found["terms"], len(found["dialogues"])) == (3, 1, ["task.nll"], 3)
    assert f"Its dialogues: {', '.join(found['dialogues'])}" in error
    assert f"To find the operation: ercframe run {folder} --anomaly" in error
    code, error = run(capsys, str(folder), "--anomaly")
    assert code == 1
    assert f"Its dialogues: {', '.join(found['dialogues'])}" in error
    assert "It began in the forward of 'log' in model.encoder" in error
    line = PLUGIN[: PLUGIN.index("torch.log")].count("\n") + 1
    assert f"plugins/breaking.py:{line}, in forward)" in error


def test_a_gradient_is_traced_though_the_loss_tells_a_batch_later(recipe, capsys):
    code, error = run(capsys, recipe, "encoder.fault=backward", "trainer.checkpoint_seconds=0")
    assert code == 1
    assert "epoch 3, batch 2: the loss must be finite" in error
    (folder,) = Path("runs/tiny").iterdir()
    code, error = run(capsys, str(folder), "--anomaly")
    assert code == 1
    assert "epoch 3, batch 1: gradients must be finite (got NaN or Inf)" in error
    assert "It began in the backward of 'sqrt' in model.encoder" in error


def test_a_gradient_of_the_last_batch_is_noticed_when_dev_is_scored(recipe, capsys):
    code, error = run(capsys, recipe, "encoder.fault=backward", "encoder.after=7")
    assert code == 1
    assert "epoch 2, batch 4: gradients must be finite (got NaN or Inf)" in error
    (folder,) = Path("runs/tiny").iterdir()
    code, error = run(capsys, str(folder), "--anomaly")
    assert code == 1
    assert "It began in the backward of 'sqrt' in model.encoder" in error


def test_anomaly_while_training_finds_it_at_once(recipe, capsys):
    code, error = run(capsys, recipe, "encoder.fault=forward", "--anomaly")
    assert code == 1
    assert "epoch 3, batch 1: the loss must be finite" in error
    assert "It began in the forward of 'log' in model.encoder" in error


def test_anomaly_changes_no_result(recipe, capsys):
    assert run(capsys, recipe, "--out", "a")[0] == 0
    assert run(capsys, recipe, "--out", "b", "--anomaly")[0] == 0
    one, two = (
        [json.loads(x) for x in next(Path(o).rglob("predictions.jsonl")).read_text().splitlines()] for o in "ab"
    )
    assert one == two
    (folder,) = Path("a/tiny").iterdir()
    code, error = run(capsys, str(folder), "--anomaly")
    assert code == 2
    assert f"--anomaly needs a run whose loss diverged (that in {folder} did not)" in error
