"""A training state: saved after any batch, restored elsewhere, it goes on bit for bit."""

import copy
from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from varied import TINY, variations

from ercframe.training.loop import fit
from ercframe.training.state import new_state
from ercframe.training.step import Step

CPU = torch.device("cpu")
WITH_DROPOUT = TINY | {"transforms": [{"type": "modality_dropout", "rates": 0.5}]}


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
def changed(tmp_path):
    """Assemble a variation of a tiny recipe."""
    return variations(tmp_path, WITH_DROPOUT)


@pytest.fixture
def experiment(changed):
    return changed()


def ended(state):
    """What must be equal at the end: weights, what is known of the epochs, and the next random number."""
    weights = [x.clone() for x in state.learner.state_dict().values()]
    return weights, [replace(epoch, seconds=0) for epoch in state.epochs], torch.rand(1).item()


@pytest.mark.parametrize("batches", range(10))
def test_it_goes_on_bit_for_bit_after_any_batch(experiment, batches):
    broken_off, other = goes_on_bit_for_bit(experiment, batches)
    assert 3 * broken_off[0] + broken_off[1] == batches
    assert not other.extras


GROUPS = "trainer.optimizer={groups: {encoder: {lr: 1e-3}, losses: {lr: 0.1}}, decay_biases: false, weight_decay: 0.1}"
OPTIONS = {
    "linear": ["trainer.schedule={name: linear, warmup_steps: 3}"],
    "cosine": ["trainer.schedule={name: cosine, warmup_share: 0.3}"],
    "one_cycle": ["trainer.schedule.name=one_cycle"],
    "plateau": ["trainer.schedule={name: plateau, patience: 0, factor: 0.3}"],
    "groups": [GROUPS, "losses={aux: {type: self_distillation}}", "fusion.type=gated"],
    "accumulate": ["trainer.accumulate=2"],
    "ema": ["trainer.average={name: ema, decay: 0.8}"],
    "swa": ["trainer.average={name: swa, start_epoch: 2}"],
}


@pytest.mark.parametrize("steps", [2, 4, 6])
@pytest.mark.parametrize("option", OPTIONS)
def test_it_goes_on_bit_for_bit_with_each_option(changed, option, steps):
    goes_on_bit_for_bit(changed(*OPTIONS[option]), steps)


def goes_on_bit_for_bit(experiment, steps):
    """Break off after so many steps and go on elsewhere; where it broke off (epochs, batches), and what went on."""
    whole = new_state(experiment, 0, CPU)
    fit(whole, experiment)
    weights, epochs, drawn = ended(whole)

    class Stopping(Step):
        calls = 0

        def __call__(self, group):
            if Stopping.calls == steps:
                raise StopHereError
            Stopping.calls += 1
            return super().__call__(group)

    broken_off = new_state(experiment, 0, CPU)
    with suppress(StopHereError):
        fit(broken_off, experiment, make_step=Stopping)
    place = len(broken_off.epochs), broken_off.tally.batches
    saved = copy.deepcopy(broken_off.state_dict())
    other = new_state(experiment, 1, CPU)
    other.load_state_dict(saved)
    fit(other, experiment)
    again = ended(other)
    assert all(torch.equal(a, b) for a, b in zip(weights, again[0], strict=True))
    assert again[1:] == (epochs, drawn)
    assert other.choice.number == whole.choice.number
    assert all(torch.equal(x, other.best[name]) for name, x in whole.best.items())
    return place, other


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
