"""The loop: what repeats, what stops it, what it refuses."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from varied import variations

from ercframe import InputError, RunError
from ercframe.evaluate import score
from ercframe.metrics import Scores
from ercframe.settings import OptimizerSettings
from ercframe.training.batches import training_batches
from ercframe.training.device import choose_device
from ercframe.training.epoch import Choice, Epoch, best
from ercframe.training.loop import Caretaker, fit
from ercframe.training.optimizer import make_optimizer
from ercframe.training.precision import Precision
from ercframe.training.state import new_state
from ercframe.training.step import Step

CPU, FP32 = torch.device("cpu"), Precision("fp32", "cpu")


@pytest.fixture
def experiment(tmp_path):
    """Assemble a variation of a tiny recipe."""
    return variations(tmp_path)


class Watching(Caretaker):
    """Notes which epochs were the best so far."""

    def __init__(self):
        self.bests = []

    def epoch_done(self, epoch, is_best):
        """Note it."""
        self.bests.append(is_best)


def train(experiment, seed=0):
    state, watching = new_state(experiment, seed, CPU), Watching()
    fit(state, experiment, watching)
    return state.learner, state.epochs, watching.bests


def test_the_same_seed_gives_the_same_weights_and_scores_bit_for_bit(experiment):
    (one, epochs, _), (two, again, _) = train(experiment()), train(experiment())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert [replace(e, seconds=0) for e in epochs] == [replace(e, seconds=0) for e in again]


def test_another_seed_gives_other_weights(experiment):
    one, two = train(experiment(), 0)[0], train(experiment(), 1)[0]
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_training_lowers_the_loss(experiment):
    _, epochs, _ = train(experiment("trainer.epochs=8"))
    assert epochs[-1].loss < 0.8 * epochs[0].loss
    assert epochs[0].terms.keys() == {"task.nll"}


def test_the_loss_of_an_epoch_is_the_weighed_sum_of_its_terms(experiment):
    _, (epoch, *_), _ = train(experiment("losses.aux={type: focal, weight: 0.25}"))
    assert epoch.loss == pytest.approx(epoch.terms["task.nll"] + 0.25 * epoch.terms["aux.focal"])


def test_every_training_dialogue_is_seen_once_an_epoch_in_a_new_order(experiment):
    made = experiment()
    generator = torch.Generator().manual_seed(0)
    first = [d for batch in training_batches(made, generator) for d in batch.dialogues]
    second = [d for batch in training_batches(made, generator) for d in batch.dialogues]
    assert sorted(first) == sorted(second) == sorted(d.id for d in made.splits.train)
    assert first != second


def test_transforms_change_training_batches_only(experiment):
    made = experiment("transforms=[{type: modality_dropout, rates: 1.0}]")
    (batch, *_) = training_batches(made, torch.Generator().manual_seed(0))
    assert all(batch.hidden[m].any() for m in ("text", "audio"))
    assert all(d.available[m].all() for d in made.splits.train for m in ("text", "audio"))


def epoch(number: int, dev: float, test: float) -> Epoch:
    dev_scores, test_scores = (Scores(x, x, x, (x,), ((1,),)) for x in (dev, test))
    return Epoch(number, 1.0, {}, dev_scores, test_scores, 0.0)


def test_the_first_of_equally_good_epochs_is_chosen_on_the_split_that_was_asked_for():
    epochs = [epoch(1, 0.5, 0.9), epoch(2, 0.7, 0.1), epoch(3, 0.7, 0.95)]
    assert best(epochs, "dev", "weighted_f1").number == 2
    assert best(epochs, "test", "weighted_f1").number == 3
    choice = Choice("dev", "accuracy")
    assert [choice.take(e) for e in epochs] == [True, True, False]


def test_patience_stops_after_that_many_epochs_without_a_better_one(experiment):
    _, epochs, bests = train(experiment("trainer.epochs=200", "trainer.patience=2", "trainer.optimizer.lr=0.1"))
    assert len(epochs) < 200
    assert bests[-3:] == [True, False, False]


def test_test_is_not_scored_during_training_without_show_gap(experiment):
    _, epochs, _ = train(experiment("protocol.show_gap=false"))
    assert all(e.test is None for e in epochs)


def test_clipping_bounds_the_step(experiment):
    made = experiment()
    torch.manual_seed(0)
    learner = made.learner()
    before = copy.deepcopy(learner.state_dict())
    optimizer = make_optimizer(OptimizerSettings(name="sgd", lr=1.0), learner)
    batch = next(training_batches(made, torch.Generator().manual_seed(0)))
    Step(learner, optimizer, FP32, FP32.scaler(), clip_norm=1e-3)([batch])
    moved = torch.cat([(x - before[name]).flatten() for name, x in learner.state_dict().items()])
    assert float(moved.norm()) == pytest.approx(1e-3, rel=1e-3)


def test_parameters_that_a_step_does_not_reach_stay_whatever_came_before():
    class OneWay(torch.nn.ModuleDict):
        objective = SimpleNamespace(total=lambda terms, counts: terms["way"])

        def forward(self, batch):
            return None, {"way": self[batch.way](torch.ones(1, 2)).sum()}

    learner = OneWay({way: torch.nn.Linear(2, 1) for way in "ab"})
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.5, weight_decay=0.5)
    step = Step(learner, optimizer, FP32, FP32.scaler())
    before = copy.deepcopy(learner)
    step([SimpleNamespace(way="a", scored=[0])])
    after = copy.deepcopy(learner["a"])
    step([SimpleNamespace(way="b", scored=[0])])
    assert not torch.equal(after.weight, before["a"].weight)
    assert torch.equal(learner["a"].weight, after.weight)
    assert not torch.equal(learner["b"].weight, before["b"].weight)


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_optimizers_by_name(experiment, name, kind):
    optimizer = make_optimizer(OptimizerSettings(name=name, lr=0.5, weight_decay=0.25), experiment().learner())
    assert type(optimizer) is kind
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (0.5, 0.25)


def test_a_loss_that_is_no_longer_finite_stops_with_the_term(experiment):
    with pytest.raises(RunError, match=r"epoch \d+, batch \d: the loss must be finite \(got NaN or Inf in task.nll\)"):
        train(experiment("trainer.optimizer={name: sgd, lr: 1e30}", "trainer.epochs=5"))


def test_a_model_that_puts_out_nan_gets_no_score(experiment):
    made = experiment()
    learner = made.learner()
    torch.nn.init.constant_(next(learner.model.parameters()), float("nan"))
    with pytest.raises(RunError, match=r"logits must be numbers \(got NaN\)"):
        score(learner, made.splits.dev, 4, CPU, 4)
    assert not torch.is_inference_mode_enabled()


def test_a_cuda_device_that_there_is_not_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match=r"must be a device of this machine: cuda:0 to cuda:1 \(got 'cuda:2'\)"):
        choose_device("cuda:2")


def test_cuda_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(InputError, match=r"got 'cuda:1', but PyTorch finds no CUDA"):
        choose_device("cuda:1")
