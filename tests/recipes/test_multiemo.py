"""MultiEMO as a whole learns generated conversations."""

import json

import pytest

from ercframe.cli.app import run_app


@pytest.mark.slow
def test_it_learns_generated_conversations(folder):
    settings = ["fusion.layers=1", "trainer.epochs=5", "trainer.device=cpu", "protocol.seeds=1"]
    sizes = ["dataset.train=48", "dataset.dev=8", "dataset.test=16"]
    assert run_app(["run", "multiemo_iemocap", "--demo", *settings, *sizes]) == 0
    (summary,) = (folder / "runs").rglob("summary.json")
    scores = json.loads(summary.read_text())["seeds"][0]["selected"]["test"]
    assert scores["accuracy"] > 0.3, "a guess is right once in six times"
