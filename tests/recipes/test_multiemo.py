"""MultiEMO as a whole: its ablations fit together, and it learns generated conversations."""

import json

import pytest

from ercframe import recipes
from ercframe.build import assemble
from ercframe.cli.app import run_app
from ercframe.sweep.ablations import ablations
from ercframe.sweep.plan import Source

SMALL = ("trainer.device=cpu", "dataset.train=3", "dataset.dev=2", "dataset.test=2")


@pytest.mark.parametrize("name", ["multiemo_iemocap", "multiemo_meld"])
def test_every_ablation_fits_together(name):
    settings, notices = ablations(Source(name, SMALL, demo=True))
    assert len(settings) == 12
    assert notices == []
    for changes in settings.values():
        overrides = [*SMALL, *(f"{key}={value}" for key, value in changes.items())]
        assert assemble(recipes.load(name, overrides, demo=True)).learner()


@pytest.mark.slow
def test_it_learns_generated_conversations(folder):
    settings = ["fusion.layers=1", "trainer.epochs=5", "trainer.device=cpu", "protocol.seeds=1"]
    sizes = ["dataset.train=48", "dataset.dev=8", "dataset.test=16"]
    assert run_app(["run", "multiemo_iemocap", "--demo", *settings, *sizes]) == 0
    (summary,) = (folder / "runs").rglob("summary.json")
    scores = json.loads(summary.read_text())["seeds"][0]["selected"]["test"]
    assert scores["accuracy"] > 0.3, "a guess is right once in six times"
