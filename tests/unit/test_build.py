"""Building from a recipe: mismatches between parts are explained before training."""

import pytest
import torch
import yaml

from ercframe import InputError, recipes
from ercframe.build import assemble

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 6, "dev": 3, "test": 3, "labels": 4},
    "encoder": {"type": "identity", "width": 8},
    "fusion": {"type": "concat"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 1, "device": "cpu"},
    "protocol": {"seeds": 1},
}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load a variation of a tiny recipe kept in ``mine.yaml`` of the current directory."""
    monkeypatch.chdir(tmp_path)

    def make(**slots):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(TINY | slots, sort_keys=False))
        return recipes.load("mine.yaml")

    return make


def test_the_parts_are_built_from_what_comes_before_them(load):
    learner = assemble(load()).learner()
    assert learner.model.fusion.spec.width == 16
    assert {name.partition(".")[0] for name in learner.state_dict()} == {"model"}


def test_class_counts_are_those_of_what_is_trained_on(load):
    held = assemble(load()).info.class_counts
    merged = assemble(load(protocol={"name": "paper", "seeds": 1})).info.class_counts
    assert sum(merged) > sum(held) > 0


def test_checking_the_parts_draws_no_random_number(load):
    loaded = load()
    before = torch.get_rng_state()
    assemble(loaded)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loss_that_needs_what_the_fusion_lacks_names_both_and_the_alternatives(load):
    loaded = load(fusion={"type": "tensor"}, losses={"distill": {"type": "self_distillation"}})
    with pytest.raises(InputError) as caught:
        assemble(loaded)
    (problem,) = caught.value.problems
    assert problem.where == "mine.yaml:19:5"
    assert problem.what == "losses.distill"
    message = (
        "loss 'self_distillation' needs one representation per modality; fusion 'tensor' provides none. "
        "Fusions that do: concat, cross_attention, dynamic_graph, gated, graph, hierarchical_gated"
    )
    assert problem.message == message


def test_a_setting_that_does_not_suit_the_corpus_is_the_users_to_mend(load):
    loaded = load(losses={"task": {"type": "cross_entropy", "class_weights": [1.0, 2.0]}})
    with pytest.raises(InputError, match=r"loss 'cross_entropy': class_weights must .*4.*got"):
        assemble(loaded)


@pytest.mark.parametrize(
    ("demo", "told"),
    [({}, ""), ({"encoder.width": 4}, "\nAdd --demo to see the recipe on generated conversations first.")],
)
def test_a_missing_bundle_shows_the_recipes_help(load, demo, told):
    loaded = load(dataset={"type": "bundle", "path": "data/none"}, data_help="1. make it\n2. check it\n", demo=demo)
    with pytest.raises(InputError, match=r"data/none") as caught:
        assemble(loaded)
    assert caught.value.help == f"1. make it\n2. check it{told}"
