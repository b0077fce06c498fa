"""How near a trained model comes to the best that is possible, which is known for generated conversations."""

import pytest
import torch
import yaml

from ercframe import recipes
from ercframe.build import assemble
from ercframe.training.epoch import best
from ercframe.training.loop import fit
from ercframe.training.state import new_state

# Dropout 0.5 is made for SDT's width of 1024.
SDT = ["encoder.width=96", "encoder.dropout=0.2", "losses.distill.dropout=0.2", "trainer.epochs=10"]
CONTEXT_FREE = {
    "modalities": ["text", "audio", "visual"],
    "dataset": {"type": "synthetic"},
    "encoder": {"type": "identity"},
    "fusion": {"type": "concat"},
    "classifier": {"type": "mlp", "hidden": [64], "dropout": 0.2},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 15, "batch_dialogues": 16, "optimizer": {"lr": 1e-3}},
}


def accuracy(loaded: recipes.Loaded) -> float:
    """Test accuracy of the epoch that dev chooses, for seed 0."""
    experiment = assemble(loaded)
    state = new_state(experiment, 0, torch.device("cpu"))
    fit(state, experiment)
    return best(state.epochs, "dev", loaded.recipe.protocol.monitor).test.accuracy


@pytest.fixture(scope="module")
def facts():
    """Bayes-optimal accuracies of the corpus that every ``--demo`` trains on."""
    return assemble(recipes.load("sdt_iemocap", demo=True)).info.facts


@pytest.fixture(scope="module")
def sdt() -> float:
    return accuracy(recipes.load("sdt_iemocap", SDT, demo=True))


@pytest.fixture(scope="module")
def context_free(tmp_path_factory) -> float:
    recipe = tmp_path_factory.mktemp("recipe") / "context_free.yaml"
    recipe.write_text(yaml.safe_dump(CONTEXT_FREE))
    return accuracy(recipes.load(recipe))


def test_sdt_reaches_95_percent_of_the_best_possible_accuracy(sdt, facts):
    assert 0.95 * facts["bayes_accuracy"] <= sdt < facts["bayes_accuracy"]


def test_without_context_the_same_features_stay_at_their_own_bound(context_free, facts):
    own = facts["bayes_accuracy_no_context"]
    assert 0.95 * own <= context_free <= own + 0.01
    assert context_free < 0.9 * facts["bayes_accuracy"]


def test_sdt_makes_use_of_the_conversation(sdt, context_free, facts):
    assert sdt > context_free + 0.05
    assert sdt > facts["bayes_accuracy_no_context"] + 0.05
