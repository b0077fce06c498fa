"""Parameters with a learning rate and a weight decay of their own."""

import pytest
import torch
from varied import variations

from ercframe import InputError
from ercframe.preflight import preflight
from ercframe.settings import OptimizerSettings
from ercframe.training.optimizer import make_optimizer

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 6, "dev": 2, "test": 2, "labels": 4},
    "encoder": {"type": "identity", "width": 8},
    "fusion": {"type": "gated"},
    "classifier": {"type": "mlp", "hidden": [8]},
    "losses": {"task": {"type": "cross_entropy"}, "distill": {"type": "self_distillation"}},
    "trainer": {"epochs": 2, "device": "cpu", "optimizer": {"lr": 0.1, "weight_decay": 0.5}},
}


@pytest.fixture
def experiment(tmp_path):
    """Assemble a variation of a tiny recipe."""
    return variations(tmp_path, TINY)


def found(experiment, **settings):
    """For each parameter: group, learning rate, decay."""
    learner = experiment.learner()
    settings = {"lr": 0.1, "weight_decay": 0.5} | settings
    optimizer = make_optimizer(OptimizerSettings(**settings), learner)
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    named = {name: groups[id(p)] for name, p in learner.named_parameters()}
    return {name: (group["name"], group["lr"], group["weight_decay"]) for name, group in named.items()}


def test_by_part_module_or_pattern_and_all_else_is_the_rest(experiment):
    groups = {
        "encoder": {"lr": 0.01},
        "losses.distill": {"lr": 0.02, "weight_decay": 0.0},
        "classifier.*.bias": {"weight_decay": 0.25},
    }
    for name, group in found(experiment(), groups=groups).items():
        if name.startswith("model.encoder."):
            assert group == ("encoder", 0.01, 0.5)
        elif name.startswith("objective.losses.distill."):
            assert group == ("losses.distill", 0.02, 0.0)
        elif name.startswith("model.classifier.") and name.endswith(".bias"):
            assert group == ("classifier.*.bias", 0.1, 0.25)
        else:
            assert group == ("rest", 0.1, 0.5)


def test_without_decay_of_biases_weights_alone_decay_in_every_group(experiment):
    made = experiment()
    dims = {name: p.dim() for name, p in made.learner().named_parameters()}
    assert set(dims.values()) == {1, 2}
    groups = {"encoder": {"weight_decay": 0.25}}
    for name, (group, _, decay) in found(made, groups=groups, decay_biases=False).items():
        assert decay == (0.0 if dims[name] == 1 else {"encoder": 0.25, "rest": 0.5}[group])


def test_by_default_there_is_one_group_in_the_order_of_the_learner(experiment):
    learner = experiment().learner()
    (group,) = make_optimizer(OptimizerSettings(), learner).param_groups
    assert all(a is b for a, b in zip(group["params"], learner.parameters(), strict=True))


def test_a_group_that_differs_in_nothing_changes_nothing(experiment):
    made, weights = experiment(), []
    for groups in ({}, {"encoder": {"lr": 0.1}, "losses.*": {"weight_decay": 0.5}}):
        torch.manual_seed(0)
        learner = made.learner()
        optimizer = make_optimizer(OptimizerSettings(lr=0.1, weight_decay=0.5, groups=groups), learner)
        for _ in range(3):
            sum((p.cos() * 3).sum() for p in learner.parameters()).backward()
            optimizer.step()
            optimizer.zero_grad()
        weights.append(learner.state_dict())
    assert all(torch.equal(x, weights[1][name]) for name, x in weights[0].items())


def test_all_that_is_wrong_is_told_at_once_with_its_place(experiment):
    groups = "{enoder: {lr: 1}, fusion: {lr: 1}, 'fusion.*': {lr: 2}, losses.distil: {lr: 1}}"
    with pytest.raises(InputError) as refused:
        preflight(experiment(f"trainer.optimizer.groups={groups}", "trainer.schedule.warmup_steps=2"))
    assert refused.value.title == "the trainer's settings do not fit 'tiny'"
    assert {p.where for p in refused.value.problems} == {"command line"}
    told = {p.what.removeprefix("trainer."): p.message for p in refused.value.problems}
    nothing = "must name parameters of the model or its losses (there are none)"
    assert told == {
        "optimizer.groups.enoder": f"{nothing}; did you mean 'encoder'?",
        "optimizer.groups.losses.distil": f"{nothing}; did you mean 'losses.distill'?",
        "optimizer.groups.fusion.*": "must not name what 'fusion' names, too (got fusion.gate.weight)",
        "schedule.warmup_steps": "must be below the number of steps in all epochs, 2 (got 2)",
    }


def test_a_slip_in_a_group_is_told_with_its_place(experiment):
    with pytest.raises(InputError) as refused:
        experiment("trainer.optimizer.groups={encoder: {lrr: 1}, fusion: {}, classifier: {lr: 0}}")
    told = {p.what.removeprefix("trainer.optimizer.groups."): p.message for p in refused.value.problems}
    assert told == {
        "encoder.lrr": "unknown key; did you mean 'lr'?",
        "fusion": "must set lr or weight_decay",
        "classifier.lr": "must be above 0 (got 0)",
    }
