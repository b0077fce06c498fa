"""Averaged weights: which they are, and that they are what is scored and kept."""

import copy

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from varied import TINY, variations

from ercframe import InputError
from ercframe.evaluate import score
from ercframe.nn import Frozen
from ercframe.settings import AverageSettings
from ercframe.training.average import Average
from ercframe.training.loop import Caretaker, fit
from ercframe.training.state import new_state

CPU = torch.device("cpu")


@pytest.fixture
def experiment(tmp_path):
    """Assemble a variation of a tiny recipe."""
    return variations(tmp_path, TINY | {"trainer": TINY["trainer"] | {"epochs": 4}})


class Watching(Caretaker):
    """Keeps the weights after every step and every epoch."""

    def __init__(self, state):
        self.state, self.steps, self.epochs = state, [], []

    def weights(self):
        return torch.cat([p.detach().flatten().clone() for p in self.state.learner.parameters()])

    def batch_done(self):
        self.steps.append(self.weights())

    def epoch_done(self, epoch, is_best):
        self.epochs.append(self.weights())


def trained(experiment):
    state = new_state(experiment, 0, CPU)
    watching = Watching(state)
    fit(state, experiment, watching)
    return state, watching


def flat(learner):
    return torch.cat([p.detach().flatten() for p in learner.parameters()])


def test_swa_is_the_plain_mean_of_the_ends_of_epochs(experiment):
    state, watching = trained(experiment("trainer.average={name: swa, start_epoch: 2}"))
    torch.testing.assert_close(flat(state.scored), torch.stack(watching.epochs[1:]).mean(0))
    assert state.average.count == 3


def test_ema_starts_as_a_plain_mean_and_then_forgets(experiment):
    state, watching = trained(experiment("trainer.average={name: ema, decay: 0.8, start_epoch: 2}"))
    assert len(watching.steps) == 12  # 3 in an epoch
    expected = torch.zeros_like(watching.steps[0])
    for n, weights in enumerate(watching.steps[3:]):
        share = max(1 / (n + 1), 0.2)
        expected += share * (weights - expected)
    torch.testing.assert_close(flat(state.scored), expected)


@pytest.mark.parametrize("average", ["{name: ema, decay: 0.9}", "{name: swa}"])
def test_training_goes_on_with_its_own_weights(experiment, average):
    (plain, before), (averaged, after) = trained(experiment()), trained(experiment(f"trainer.average={average}"))
    assert all(map(torch.equal, before.steps, after.steps))
    assert [e.terms for e in plain.epochs] == [e.terms for e in averaged.epochs]
    assert torch.equal(flat(plain.scored), flat(plain.learner))
    assert not torch.equal(flat(averaged.scored), flat(averaged.learner))


def test_the_averaged_weights_are_scored_chosen_and_kept(experiment):
    made = experiment("trainer.average={name: ema, decay: 0.9}", "trainer.epochs=1")
    state, _ = trained(made)
    assert state.epochs[0].dev == score(state.average.learner, made.splits.dev, 4, CPU, 4)
    assert all(torch.equal(x, state.best[name]) for name, x in state.average.learner.state_dict().items())


def test_before_the_first_average_the_weights_in_training_are_scored(experiment):
    made = experiment("trainer.average={name: swa, start_epoch: 2}", "trainer.epochs=2")
    state = new_state(made, 0, CPU)

    class Looking(Caretaker):
        scored = []

        def epoch_done(self, epoch, is_best):
            Looking.scored.append(state.scored is state.average.learner)

    fit(state, made, Looking())
    assert Looking.scored == [False, True]


class Parts(nn.Module):
    """With everything that a module may hold."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0]))
        self.frozen = Frozen(nn.Linear(1, 1))
        self.register_buffer("running", torch.tensor([0.0]))
        self.register_buffer("mask", torch.tensor([-torch.inf]))
        self.register_buffer("steps", torch.tensor(0))


def test_buffers_are_copied_and_frozen_networks_shared():
    parts = Parts()
    average = Average(AverageSettings(name="ema", decay=0.5), parts)
    for value in (1.0, 3.0, 5.0):
        with torch.no_grad():
            parts.weight.fill_(value), parts.running.fill_(value), parts.steps.add_(1)
        average.step_done(parts, 1, False, True)
    made = average.learner
    assert made.weight.item() == 3.5  # 1, then the mean of 1 and 3, then of that and 5
    assert (made.running.item(), made.mask.item(), made.steps.item()) == (5.0, -torch.inf, 3)
    assert made.frozen.module is parts.frozen.module
    assert not made.weight.requires_grad


def test_recurrent_weights_of_the_copy_lie_together_as_cudnn_wants_them(monkeypatch):
    flattened = []
    monkeypatch.setattr(nn.LSTM, "flatten_parameters", lambda lstm: flattened.append(lstm))
    learner = nn.Sequential(nn.LSTM(2, 3))
    flattened.clear()
    average = Average(AverageSettings(name="ema"), learner)
    assert flattened == [average.learner[0]]


def test_a_step_that_moved_nothing_is_not_averaged():
    parts = Parts()
    average = Average(AverageSettings(name="ema"), parts)
    average.step_done(parts, 1, True, False)
    assert average.count == 0


def test_it_goes_on_from_its_state():
    parts = Parts()
    one = Average(AverageSettings(name="ema", decay=0.5), parts)
    one.step_done(parts, 1, False, True)
    two = Average(AverageSettings(name="ema", decay=0.5), Parts())
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    with torch.no_grad():
        parts.weight.fill_(7.0)
    for average in (one, two):
        average.step_done(parts, 1, False, True)
    assert one.learner.weight.item() == two.learner.weight.item() == 4.0
    assert one.count == two.count == 2


def test_settings_without_effect_are_refused(experiment):
    with pytest.raises(ValidationError, match=r"must not set what swa does not use \(got decay\)"):
        AverageSettings(name="swa", decay=0.5)
    with pytest.raises(InputError, match=r"average.start_epoch must be at most epochs, 4 \(got 5\)"):
        experiment("trainer.average={name: swa, start_epoch: 5}")
