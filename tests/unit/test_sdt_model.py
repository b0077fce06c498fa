"""SDT as a whole: its size, and batches that must not break it."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from ercframe import DatasetInfo
from ercframe.build import build_learner
from ercframe.recipes import load
from ercframe.testing import example_batch, example_dataset

recipe = cache(load)


def small(name, dataset, *overrides):
    """A shipped recipe's model with its losses, narrow."""
    return build_learner(recipe(name, ("encoder.width=16", "encoder.heads=4", *overrides)), dataset)


def size(name, dataset):
    with torch.device("meta"):
        return sum(p.numel() for p in build_learner(recipe(name), dataset).parameters())


def corpus(audio, emotions, speakers):
    labels = tuple(f"emotion {i}" for i in range(emotions))
    modalities = {"text": 1024, "audio": audio, "visual": 342}
    return DatasetInfo("published", labels, modalities, speakers, class_counts=(1,) * emotions)


def test_at_the_published_widths_it_has_the_released_parameters_but_nine_unused_normalisations():
    assert size("sdt_iemocap", corpus(audio=1582, emotions=6, speakers=2)) == 79_687_704 - 9 * 2 * 1024 == 79_669_272


def test_on_meld_the_frozen_gates_are_no_parameters():
    assert size("sdt_meld", corpus(audio=300, emotions=7, speakers=9)) == 68_949_020 - 9 * 2 * 1024


BATCHES = {
    "ragged": {},
    "single utterance": {"lengths": (1,), "unscored": False},
    "without text": {"lacking": ("text",)},
    "without anything": {"lacking": ("text", "audio", "visual")},
}


def gradients(learner, batch):
    _, terms = learner(batch)
    loss = learner.objective.total(terms)
    return loss, torch.autograd.grad(loss, list(learner.parameters()))


@pytest.mark.parametrize("options", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("name", ["sdt_iemocap", "sdt_meld"])
def test_gradients_are_finite_and_reach_everything(options, name):
    dataset = example_dataset()
    learner = small(name, dataset)
    loss, found = gradients(learner, example_batch(dataset, **options))
    assert loss > 0
    assert all(torch.isfinite(g).all() for g in found)


def test_with_nothing_scored_the_loss_is_an_attached_zero():
    dataset = example_dataset()
    batch = example_batch(dataset)
    nothing = replace(batch, labels=torch.full_like(batch.labels, -1), scored=batch.scored[:0])
    loss, found = gradients(small("sdt_iemocap", dataset), nothing)
    assert loss == 0
    assert not any(g.any() for g in found)


def test_a_causal_model_hears_nothing_of_what_comes_later():
    dataset = example_dataset()
    learner = small("sdt_iemocap", dataset, "encoder.window.future=0").eval()
    batch = example_batch(dataset, lengths=(9,))
    later = batch.context.layout.position >= 5
    changed = {m: torch.where(later[:, None], x + 1, x) for m, x in batch.features.items()}
    speaker = torch.where(later, (batch.context.speaker + 1) % 3, batch.context.speaker)
    before = learner.model(batch.features, batch.context).decision.logits
    after = learner.model(changed, replace(batch.context, speaker=speaker)).decision.logits
    assert not learner.model.sees_future
    assert torch.equal(before[:5], after[:5])
    assert not torch.isclose(before[5:], after[5:]).all(-1).any()
