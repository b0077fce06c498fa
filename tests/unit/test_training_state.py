"""A training state: saved after any batch, restored elsewhere, it goes on bit for bit."""

import copy
from dataclasses import replace

import pytest
import torch
import yaml

from ercframe import recipes
from ercframe.build import assemble
from ercframe.training import loop
from ercframe.training.loop import fit
from ercframe.training.state import new_state
from ercframe.training.step import Step

CPU = torch.device("cpu")
TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 10, "dev": 4, "test": 4, "labels": 4},
    "transforms": [{"type": "modality_dropout", "rates": 0.5}],
    "encoder": {"type": "identity", "width": 8},
    "fusion": {"type": "concat"},
    "classifier": {"type": "mlp", "hidden": [8], "dropout": 0.3},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 3, "batch_dialogues": 4, "optimizer": {"lr": 0.01}, "device": "cpu"},
}


class Counter:
    """Something else that changes while training."""

    def __init__(self):
        self.count = 0

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class StopHereError(Exception):
    """Ends training at a chosen batch."""


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return assemble(recipes.load(tmp_path / "tiny.yaml"))


def ended(state):
    """What must be equal at the end: weights, what is known of the epochs, and the next random number."""
    weights = [x.clone() for x in state.learner.state_dict().values()]
    return weights, [replace(epoch, seconds=0) for epoch in state.epochs], torch.rand(1).item()


@pytest.mark.parametrize("batches", range(10))
def test_it_goes_on_bit_for_bit_after_any_batch(experiment, monkeypatch, batches):
    whole = new_state(experiment, 0, CPU)
    fit(whole, experiment)
    weights, epochs, drawn = ended(whole)

    class Stopping(Step):
        calls = 0

        def __call__(self, group):
            if Stopping.calls == batches:
                raise StopHereError
            Stopping.calls += 1
            return super().__call__(group)

    broken_off = new_state(experiment, 0, CPU)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "Step", Stopping)
        try:
            fit(broken_off, experiment)
        except StopHereError:
            assert len(broken_off.epochs) * 3 + broken_off.tally.batches == batches
    saved = copy.deepcopy(broken_off.state_dict())
    other = new_state(experiment, 1, CPU)
    other.load_state_dict(saved)
    fit(other, experiment)
    again = ended(other)
    assert all(torch.equal(a, b) for a, b in zip(weights, again[0], strict=True))
    assert again[1:] == (epochs, drawn)
    assert other.choice.number == whole.choice.number


def test_whatever_is_registered_is_saved_with_it(experiment):
    state, other = new_state(experiment, 0, CPU), new_state(experiment, 0, CPU)
    counter, empty = Counter(), Counter()
    state.register("counter", counter)
    other.register("counter", empty)
    counter.count = 3
    other.load_state_dict(state.state_dict())
    assert empty.count == 3
    with pytest.raises(ValueError, match="'counter' is registered already"):
        state.register("counter", counter)


def test_a_state_with_other_extras_is_refused(experiment):
    state, other = new_state(experiment, 0, CPU), new_state(experiment, 0, CPU)
    other.register("counter", Counter())
    with pytest.raises(ValueError, match=r"the state holds \[\]; there are \['counter'\] to restore"):
        other.load_state_dict(state.state_dict())
