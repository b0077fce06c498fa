"""Focal loss: cross-entropy at its edge, less for what is easy, finite where it rounds."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from ercframe import Decision, FusionOutput, ModelOutput, ModelSpec, Streams
from ercframe.testing import example_batch, example_dataset
from ercframe.testing.scenes import fused, own_streams
from ercframe_plugins.losses.focal import FocalLoss

DATASET = example_dataset()
BATCH = example_batch(DATASET)
SPEC = ModelSpec(own_streams(DATASET.modalities), fused(DATASET.modalities))


def focal(**settings):
    return FocalLoss(FocalLoss.Config(**settings), DATASET, SPEC).double()


def output(logits_NC):
    return ModelOutput(Streams({}), FusionOutput(logits_NC), Decision(logits_NC))


def random_logits():
    return torch.randn(len(BATCH.labels), 4, dtype=torch.float64, requires_grad=True)


def first_emotion():
    """The batch, with the first emotion for everybody who is scored."""
    return replace(BATCH, labels=BATCH.labels.clamp_max(0))


def term(logits_NC, **settings):
    return focal(**settings)(output(logits_NC), BATCH)["focal"]


def test_without_focus_it_is_cross_entropy():
    logits = random_logits()
    total = nn.functional.cross_entropy(logits, BATCH.labels, ignore_index=-1, reduction="sum")
    found = term(logits, gamma=0.0)
    assert torch.allclose(found.total, total)
    assert float(found.count) == len(BATCH.scored)


def test_without_focus_weighted_it_is_weighted_cross_entropy():
    logits, weights = random_logits(), (1.0, 2.0, 3.0, 0.5)
    mean = nn.functional.cross_entropy(
        logits, BATCH.labels, torch.tensor(weights, dtype=torch.float64), ignore_index=-1
    )
    found = term(logits, gamma=0.0, class_weights=weights)
    assert torch.allclose(found.total / found.count, mean)


def test_probability_of_one_half_counts_by_its_distance_to_one():
    logits = torch.full((len(BATCH.labels), 4), -1e4, dtype=torch.float64)
    logits[:, :2] = 0.0
    found = focal(gamma=3.0)(output(logits), first_emotion())["focal"]
    assert float(found.total / found.count) == pytest.approx(0.5**3 * math.log(2))


def test_easy_utterances_lose_more_than_hard_ones():
    easy, hard = torch.tensor([4.0, 0.0, 0.0, 0.0]), torch.tensor([-4.0, 0.0, 0.0, 0.0])
    kept = {}
    for name, row in (("easy", easy), ("hard", hard)):
        logits = row.double().expand(len(BATCH.labels), 4)
        totals = [focal(gamma=gamma)(output(logits), first_emotion())["focal"].total for gamma in (0.0, 2.0)]
        kept[name] = float(totals[1] / totals[0])
    assert kept["easy"] < 0.01
    assert kept["hard"] > 0.95


def test_detached_focus_has_the_same_value_and_another_gradient():
    logits = random_logits()
    attached, detached = (term(logits, detach_focus=detach).total for detach in (False, True))
    assert torch.equal(attached, detached)
    slopes = [torch.autograd.grad(total, logits)[0] for total in (attached, detached)]
    assert not torch.allclose(*slopes)


def test_detached_focus_scales_the_gradient_of_cross_entropy():
    logits = random_logits()
    (found,) = torch.autograd.grad(term(logits, detach_focus=True, gamma=2.0).total, logits)
    nll = nn.functional.cross_entropy(logits, BATCH.labels, ignore_index=-1, reduction="sum")
    (plain,) = torch.autograd.grad(nll, logits)
    p = logits.softmax(-1).gather(-1, BATCH.labels.clamp_min(0)[:, None])
    assert torch.allclose(found, (1 - p) ** 2 * plain)


def test_gradient_agrees_with_finite_differences():
    def total(logits):
        return term(logits, gamma=1.5, class_weights="inverse_frequency").total

    assert torch.autograd.gradcheck(total, random_logits())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("detach_focus", [False, True])
def test_certain_predictions_have_finite_gradients(gamma, detach_focus):
    logits = torch.zeros(len(BATCH.labels), 4)
    logits[torch.arange(len(BATCH.labels)), BATCH.labels] = 100.0
    logits.requires_grad_()
    settings = FocalLoss.Config(gamma=gamma, detach_focus=detach_focus)
    found = FocalLoss(settings, DATASET, SPEC)(output(logits), BATCH)["focal"]
    found.total.backward()
    assert float(found.total.detach()) == 0
    assert torch.isfinite(logits.grad).all()


def test_class_weights_must_fit_the_corpus():
    with pytest.raises(ValueError, match=r"class_weights must have one number for each of the 4 emotions"):
        focal(class_weights=(1.0, 2.0))


def test_negative_gamma_is_refused():
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        FocalLoss.Config(gamma=-1.0)
