"""The sample-weighted focal contrastive loss: its formula written out, its edges, and no undefined case."""

from dataclasses import replace

import pytest
import torch

from ercframe import Decision, FusionOutput, ModelOutput, ModelSpec, Streams, Term
from ercframe.testing import example_batch, example_dataset
from ercframe.testing.scenes import fused, own_streams
from ercframe_plugins.losses.supervised_contrastive import SupervisedContrastiveLoss
from ercframe_plugins.losses.swfc import SampleWeightedFocalContrastive

DATASET = example_dataset()
BATCH = example_batch(DATASET)
ROWS, WIDTH = len(BATCH.labels), 6
SPEC = ModelSpec(own_streams(DATASET.modalities), fused(DATASET.modalities))


def term(joint_ND, labels_N=BATCH.labels, loss=SampleWeightedFocalContrastive, **settings):
    batch = replace(BATCH, labels=labels_N, scored=torch.nonzero(labels_N >= 0).squeeze(-1))
    output = ModelOutput(Streams({}), FusionOutput(joint_ND), Decision(joint_ND[:, :4]))
    return loss(loss.Config(**settings), DATASET, SPEC).double()(output, batch)["contrast"]


def random_joint():
    return torch.randn(ROWS, WIDTH, dtype=torch.float64, requires_grad=True)


def few(*labels):
    """The batch's labels, of which only the first few are scored."""
    return torch.tensor([*labels, *[-1] * (ROWS - len(labels))])


def written_out(joint_ND, labels_N, temperature, gamma, alpha):
    """The formula, pair by pair."""
    scored = [i for i, label in enumerate(labels_N.tolist()) if label >= 0]
    z = {i: joint_ND[i] / joint_ND[i].norm() for i in scored}
    total, anchors = torch.zeros((), dtype=torch.float64), 0
    for i in scored:
        positives = [p for p in scored if p != i and labels_N[p] == labels_N[i]]
        if not positives:
            continue
        anchors += 1
        below = sum(torch.exp(z[i] @ z[a] / temperature) for a in scored if a != i)
        weight = (sum(DATASET.class_counts) / DATASET.class_counts[labels_N[i]]) ** alpha
        for p in positives:
            share = torch.exp(z[i] @ z[p] / temperature) / below
            total = total - weight / len(positives) * (1 - share) ** gamma * torch.log(share)
    return Term(total, torch.tensor(float(anchors)))


@pytest.mark.parametrize(
    ("temperature", "gamma", "alpha"), [(0.8, 2.4, 1.1), (1.4, 2.0, 1.2), (0.1, 0.5, 0.0), (1.0, 0.0, 0.5)]
)
def test_agrees_with_the_equation_written_out(temperature, gamma, alpha):
    joint = random_joint()
    found = term(joint, temperature=temperature, gamma=gamma, alpha=alpha)
    expected = written_out(joint, BATCH.labels, temperature, gamma, alpha)
    torch.testing.assert_close(found.total, expected.total)
    assert float(found.count) == float(expected.count) > 0
    slopes = [torch.autograd.grad(t.total, joint)[0] for t in (found, expected)]
    torch.testing.assert_close(*slopes)


def test_three_utterances_by_hand():
    # Two of an emotion with 40 of 100 utterances in one direction, one of another at a right angle, temperature 1:
    # each of the two has the share s = e / (e + 1) of the other, and the third has nobody.
    joint = torch.zeros(ROWS, WIDTH, dtype=torch.float64)
    joint[0, 0], joint[1, 0], joint[2, 1] = 2.0, 0.5, 3.0
    found = term(joint, few(0, 0, 1), temperature=1.0, gamma=2.0, alpha=1.0)
    share = 2.718281828459045 / 3.718281828459045
    expected = 2.5 * (1 - share) ** 2 * -torch.log(torch.tensor(share, dtype=torch.float64))
    torch.testing.assert_close(found.total / found.count, expected)
    assert float(found.count) == 2


def test_without_focus_and_weights_it_is_the_supervised_contrastive_loss():
    joint = random_joint()
    plain = term(joint, loss=SupervisedContrastiveLoss, temperature=0.3)
    found = term(joint, temperature=0.3, gamma=0.0, alpha=0.0)
    torch.testing.assert_close(found.total, plain.total)
    assert torch.equal(found.count, plain.count)


def test_the_rarer_emotion_counts_more_by_the_power_of_its_rarity():
    joint = random_joint().detach()
    common, rare = (term(joint, few(*labels), alpha=1.5) for labels in ((0, 0, 3), (3, 3, 0)))
    assert float(rare.total / common.total) == pytest.approx((40 / 10) ** 1.5)


def test_an_emotion_that_training_never_sees_counts_nothing():
    config, unseen = SampleWeightedFocalContrastive.Config(), replace(DATASET, class_counts=(40, 30, 20, 0))
    output = ModelOutput(Streams({}), FusionOutput(random_joint()), Decision(torch.zeros(ROWS, 4)))
    batch = replace(BATCH, labels=few(3, 3, 3), scored=torch.arange(3))
    found = SampleWeightedFocalContrastive(config, unseen, SPEC).double()(output, batch)["contrast"]
    assert float(found.total.detach()) == 0


@pytest.mark.parametrize("labels", [[0], [0, 1], []], ids=["one utterance", "no two alike", "nothing scored"])
def test_nobody_to_compare_with_is_an_attached_zero(labels):
    joint = random_joint()
    found = term(joint, few(*labels))
    assert float(found.total.detach()) == 0
    assert float(found.count) == 0
    found.total.backward()
    assert not joint.grad.any()


def test_an_emotion_with_one_utterance_is_pushed_away_by_the_others():
    joint = random_joint()
    found = term(joint, few(0, 0, 1))
    assert float(found.count) == 2
    (slope,) = torch.autograd.grad(found.total, joint)
    assert slope[2].any()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_a_pair_with_all_of_the_similarity_has_finite_gradients(gamma):
    joint = torch.zeros(ROWS, WIDTH)
    joint[:2, 0], joint[2, 0] = 1.0, -1.0
    joint.requires_grad_()
    found = term(joint, few(0, 0, 1), gamma=gamma, temperature=0.005)  # the share of the other is 1 in float32
    found.total.backward()
    assert torch.isfinite(found.total)
    assert torch.isfinite(joint.grad).all()


def test_gradient_agrees_with_finite_differences():
    joint = random_joint()
    assert torch.autograd.gradcheck(lambda x: term(x, few(0, 1, 0, 0, 1), gamma=1.5).total, joint)
