"""Learning rates while training: PyTorch's schedules, without a state."""

import pytest
import torch
from pydantic import ValidationError
from torch.optim import lr_scheduler

from ercframe import InputError, recipes
from ercframe.metrics import Scores
from ercframe.settings import ScheduleSettings
from ercframe.training.epoch import Epoch
from ercframe.training.schedule import Schedule

STEPS = 50


def factors(**settings):
    schedule = Schedule(ScheduleSettings(**settings), STEPS, "weighted_f1")
    return [schedule.factor(step) for step in range(STEPS)]


def of_pytorch(make, steps=STEPS):
    """The rates that a scheduler of PyTorch gives to a parameter whose own rate is 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_constant_is_one():
    assert factors() == [1.0] * STEPS


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        ({"name": "linear", "final": 0.1}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, STEPS)),
        ({"name": "cosine", "final": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 0.1)),
        ({"name": "one_cycle"}, lambda o: lr_scheduler.OneCycleLR(o, 1.0, STEPS, cycle_momentum=False)),
        (
            {"name": "one_cycle", "warmup_steps": 5},
            lambda o: lr_scheduler.OneCycleLR(o, 1.0, STEPS, pct_start=0.1, cycle_momentum=False),
        ),
    ],
    ids=["linear", "cosine", "one_cycle", "one_cycle with a short rise"],
)
def test_they_are_those_of_pytorch(settings, make):
    assert factors(**settings) == pytest.approx(of_pytorch(make), abs=1e-9)


@pytest.mark.parametrize("warmup", [{"warmup_steps": 10}, {"warmup_share": 0.2}], ids=["steps", "share"])
@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "plateau"])
def test_a_warm_up_rises_evenly_and_the_rest_follows_it(name, warmup):
    found = factors(name=name, **warmup)
    assert found[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    rest = Schedule(ScheduleSettings(name=name), STEPS - 10, "weighted_f1")
    assert found[10:] == pytest.approx([rest.factor(i) for i in range(STEPS - 10)])


def test_one_step_is_taken_at_the_full_rate():
    for name in ("constant", "linear", "cosine", "one_cycle"):
        assert Schedule(ScheduleSettings(name=name), 1, "weighted_f1").factor(0) == 1.0


SCORES = [0.1, 0.3, 0.2, 0.3, 0.1, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5, 0.2]


@pytest.mark.parametrize("patience", [0, 1, 2, 5])
def test_plateau_counts_as_pytorch_does(patience):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, "max", 0.5, patience, threshold=0.0, eps=0.0)
    ours = Schedule(ScheduleSettings(name="plateau", factor=0.5, patience=patience), STEPS, "accuracy")
    epochs: list[Epoch] = []
    for score in SCORES:
        epochs.append(Epoch(len(epochs) + 1, 1.0, {}, Scores(-score, score, -score, (), ()), None, 0.0))
        theirs.step(score)
        assert ours.factor(3, epochs) == pytest.approx(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"warmup_steps": 3, "warmup_share": 0.1}, "must have warmup_steps or warmup_share, not both"),
        ({"name": "cosine", "patience": 3}, r"must not set what cosine does not use \(got patience\)"),
        ({"final": 0.5, "factor": 0.5}, r"must not set what constant does not use \(got final, factor\)"),
    ],
)
def test_settings_without_effect_are_refused(settings, told):
    with pytest.raises(ValidationError, match=told):
        ScheduleSettings(**settings)


def test_plateau_needs_a_protocol_with_dev(tmp_path):
    with pytest.raises(InputError) as refused:
        recipes.load("sdt_iemocap", ["trainer.schedule.name=plateau", "protocol.name=paper"])
    (problem,) = refused.value.problems
    assert (problem.where, problem.what) == ("command line", "trainer.schedule.name")
    assert problem.message == (
        "must not be plateau under protocol 'paper', which has no dev to look at; "
        "constant, linear, cosine and one_cycle look at no score"
    )
