"""The padded yardstick computes what the packed model computes, padding and all."""

from dataclasses import replace

import pytest
import torch

from ercframe import collate, recipes
from ercframe.build import assemble
from ercframe_plugins.yardsticks.padded import PaddedSDT

SMALL = ["encoder.width=24", "encoder.heads=3", "encoder.dropout=0", "losses.distill.dropout=0"]
DATA = ["dataset.train=7", "dataset.dev=2", "dataset.test=2", "dataset.min_turns=1", "dataset.unscored_share=0.2"]


def both(*overrides, name="sdt_iemocap"):
    """A small experiment, its learner and its yardstick with the same weights, in float64."""
    experiment = assemble(recipes.load(name, [*SMALL, *DATA, *overrides], demo=True))
    learner = experiment.learner().double()
    yardstick = PaddedSDT(PaddedSDT.Config(), experiment.info, experiment.loaded.recipe).double()
    yardstick.load_state_dict(learner.state_dict())
    return experiment, learner, yardstick


def in_float64(dialogue):
    return replace(dialogue, features={m: x.double() for m, x in dialogue.features.items()})


def gradients(loss, module):
    loss.backward()
    return {name: p.grad for name, p in module.named_parameters()}


@pytest.mark.parametrize("name", ["sdt_iemocap", "sdt_meld"])
@pytest.mark.parametrize(
    "overrides", [(), ("losses.distill.temperature=4", "losses.distill.weight={hard: 0.5, soft: 2}", "encoder.heads=2")]
)
def test_objective_and_every_gradient_equal_the_packed_ones(name, overrides):
    experiment, learner, yardstick = both(*overrides, name=name)
    dialogues = [in_float64(d) for d in experiment.splits.train]
    assert len({len(d) for d in dialogues}) > 1  # there is padding
    packed = learner.objective.total(learner(collate(dialogues))[1])
    padded = yardstick(yardstick.collate(dialogues))
    torch.testing.assert_close(padded, packed, rtol=0, atol=1e-11)
    torch.testing.assert_close(gradients(padded, yardstick), gradients(packed, learner), rtol=0, atol=1e-11)


def test_what_stands_in_the_padding_is_not_read():
    experiment, _, yardstick = both()
    dialogues = [in_float64(d) for d in experiment.splits.train]
    batch = yardstick.collate(dialogues)
    gap = ~batch["mask"]
    changed = {m: torch.where(gap.unsqueeze(-1), 7.0, batch[m]) for m in yardstick.modalities}
    torch.testing.assert_close(yardstick(batch | changed), yardstick(batch), rtol=0, atol=1e-12)


def test_gradients_of_padded_batches_are_finite_in_training():
    experiment, _, yardstick = both("encoder.dropout=0.5", "losses.distill.dropout=0.5")
    batch = yardstick.collate([in_float64(d) for d in experiment.splits.train])
    found = gradients(yardstick.train()(batch), yardstick)
    assert all(torch.isfinite(g).all() for g in found.values())


def test_its_optimizer_is_plain_adam():
    optimizer = both()[2].make_optimizer(1e-3, 1e-5)
    assert type(optimizer) is torch.optim.Adam
    assert not optimizer.defaults["fused"]
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (1e-3, 1e-5)


@pytest.mark.parametrize(
    ("override", "got"),
    [
        ("encoder.window={past: 3}", "encoder.window={'past': 3, 'future': None}"),
        ("fusion.unimodal_gate=none", "fusion.unimodal_gate=none"),
        ("classifier.dropout=0.1", "classifier.dropout=0.1"),
        ("losses.task.label_smoothing=0.1", "losses.task.label_smoothing=0.1"),
        ("transforms=[{type: modality_dropout}]", "transforms modality_dropout"),
    ],
)
def test_a_recipe_beyond_the_published_settings_is_refused(override, got):
    with pytest.raises(ValueError, match="yardstick 'padded' implements SDT as published") as raised:
        both(override)
    assert got in str(raised.value)


def test_another_model_is_refused():
    experiment = assemble(recipes.load("late_fusion_iemocap", demo=True))
    with pytest.raises(ValueError, match=r"got encoder 'bilstm', fusion 'concat', classifier 'late', losses"):
        PaddedSDT(PaddedSDT.Config(), experiment.info, experiment.loaded.recipe)
