"""Supervised contrastive loss: agrees with its formula written out, and has no undefined case."""

from dataclasses import replace

import pytest
import torch

from ercframe import Decision, FusionOutput, ModelOutput, ModelSpec, Streams
from ercframe.testing import example_batch, example_dataset
from ercframe.testing.scenes import fused, own_streams
from ercframe_plugins.losses.supervised_contrastive import SupervisedContrastiveLoss

DATASET = example_dataset()
BATCH = example_batch(DATASET)
ROWS, WIDTH = len(BATCH.labels), 6
SPEC = ModelSpec(own_streams(DATASET.modalities), fused(DATASET.modalities))


def contrastive(**settings):
    config = SupervisedContrastiveLoss.Config(**settings)
    return SupervisedContrastiveLoss(config, DATASET, SPEC).double()


def term(joint_ND, labels_N=BATCH.labels, **settings):
    batch = replace(BATCH, labels=labels_N, scored=torch.nonzero(labels_N >= 0).squeeze(-1))
    output = ModelOutput(Streams({}), FusionOutput(joint_ND), Decision(joint_ND[:, :4]))
    return contrastive(**settings)(output, batch)["contrast"]


def random_joint():
    return torch.randn(ROWS, WIDTH, dtype=torch.float64, requires_grad=True)


def written_out(joint_ND, labels_N, temperature):
    """Equation 2 of Khosla et al., anchor by anchor."""
    scored = [i for i, label in enumerate(labels_N.tolist()) if label >= 0]
    z = {i: joint_ND[i] / joint_ND[i].norm() for i in scored}
    total, anchors = 0.0, 0
    for i in scored:
        positives = [p for p in scored if p != i and labels_N[p] == labels_N[i]]
        if positives:
            anchors += 1
            below = sum(torch.exp(z[i] @ z[a] / temperature) for a in scored if a != i)
            total -= sum(torch.log(torch.exp(z[i] @ z[p] / temperature) / below) for p in positives) / len(positives)
    return total, anchors


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_agrees_with_the_equation_written_out(temperature):
    joint = random_joint()
    total, anchors = written_out(joint, BATCH.labels, temperature)
    found = term(joint, temperature=temperature)
    assert torch.allclose(found.total, total)
    assert float(found.count) == anchors > 0


def test_anchors_without_positive_are_not_counted():
    labels = torch.full((ROWS,), -1)
    labels[:3] = torch.tensor([0, 0, 1])  # the third has nobody, but the others still push it away
    joint = random_joint()
    found = term(joint, labels)
    assert float(found.count) == 2
    assert torch.allclose(found.total, written_out(joint, labels, 0.1)[0])
    (slope,) = torch.autograd.grad(found.total, joint)
    assert slope[2].any()


@pytest.mark.parametrize("labels", [[0], [0, 1], []], ids=["one utterance", "no two alike", "nothing scored"])
def test_nobody_to_compare_with_is_an_attached_zero(labels):
    labels_N = torch.full((ROWS,), -1)
    labels_N[: len(labels)] = torch.tensor(labels, dtype=torch.long)
    joint = random_joint()
    found = term(joint, labels_N)
    assert float(found.total.detach()) == 0
    assert float(found.count) == 0
    found.total.backward()
    assert not joint.grad.any()


def test_lowest_where_emotions_coincide_and_differ():
    apart = torch.eye(WIDTH, dtype=torch.float64)[BATCH.labels.clamp_min(0)]
    total = term(apart, temperature=0.05).total
    assert float(total) < float(term(random_joint(), temperature=0.05).total.detach())
    assert float(total) > 0  # several positives share the probability


def test_length_of_a_representation_does_not_matter():
    joint = random_joint()
    scale = torch.linspace(0.1, 10, ROWS, dtype=torch.float64)[:, None]
    assert torch.allclose(term(joint).total, term(scale * joint).total)


def test_gradient_agrees_with_finite_differences():
    joint = torch.randn(ROWS, WIDTH, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: term(x, temperature=0.5).total, joint)


def test_rows_of_zeros_have_finite_gradients():
    joint = torch.zeros(ROWS, WIDTH, dtype=torch.float64)
    joint[::2] = 1.0
    joint.requires_grad_()
    term(joint).total.backward()
    assert torch.isfinite(joint.grad).all()
    assert float(joint.grad.abs().max()) < 100


def test_projection_is_trained():
    loss = contrastive(projection=3)
    assert tuple(loss.project.weight.shape) == (3, WIDTH)
    output = ModelOutput(Streams({}), FusionOutput(random_joint()), Decision(torch.zeros(ROWS, 4)))
    loss(output, BATCH)["contrast"].total.backward()
    assert loss.project.weight.grad.any()


def test_float32_similarities_under_autocast():
    joint = random_joint().float()
    loss = contrastive(temperature=0.01).float()
    output = ModelOutput(Streams({}), FusionOutput(joint), Decision(joint[:, :4]))
    plain = loss(output, BATCH)["contrast"].total
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(output, BATCH)["contrast"].total, plain)
