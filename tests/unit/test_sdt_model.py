"""SDT as a whole: its size, and batches that must not break it."""

from dataclasses import replace

import pytest
import torch

from ercframe import DatasetInfo, ModelSpec
from ercframe.model import Learner, Model
from ercframe.objective import Objective
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.classifiers.linear import LinearClassifier
from ercframe_plugins.encoders.intra_inter_transformer import IntraInterTransformer
from ercframe_plugins.fusion.hierarchical_gated import HierarchicalGatedFusion
from ercframe_plugins.losses.cross_entropy import CrossEntropy
from ercframe_plugins.losses.self_distillation import SelfDistillation


def sdt(dataset, encoder=None, fusion=None, classes="inverse_frequency", temperature=1.0):
    """SDT with its losses; the defaults are the publication's on IEMOCAP."""
    encode = IntraInterTransformer(IntraInterTransformer.Config(**encoder or {}), dataset)
    fuse = HierarchicalGatedFusion(HierarchicalGatedFusion.Config(**fusion or {}), dataset, encode.spec)
    classify = LinearClassifier(LinearClassifier.Config(), dataset, fuse.spec)
    spec = ModelSpec(encode.spec, fuse.spec)
    distill = SelfDistillation.Config(temperature=temperature, class_weights=classes)
    losses = {
        "task": CrossEntropy(CrossEntropy.Config(class_weights=classes), dataset, spec),
        "distill": SelfDistillation(distill, dataset, spec),
    }
    return Learner(Model(encode, fuse, classify), Objective(losses, dict.fromkeys(losses, 1.0)))


def size(dataset, **settings):
    with torch.device("meta"):
        return sum(p.numel() for p in sdt(dataset, **settings).parameters())


def corpus(audio, emotions, speakers):
    labels = tuple(f"emotion {i}" for i in range(emotions))
    modalities = {"text": 1024, "audio": audio, "visual": 342}
    return DatasetInfo("published", labels, modalities, speakers, class_counts=(1,) * emotions)


def test_at_the_published_widths_it_has_the_released_parameters_but_nine_unused_normalisations():
    assert size(corpus(audio=1582, emotions=6, speakers=2)) == 79_687_704 - 9 * 2 * 1024 == 79_669_272


def test_on_meld_the_frozen_gates_are_no_parameters():
    silu = {"unimodal_gate": "silu"}
    assert size(corpus(audio=300, emotions=7, speakers=9), fusion=silu) == 68_949_020 - 9 * 2 * 1024


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
@pytest.mark.parametrize("gate", ["learned", "silu"])
def test_gradients_are_finite_and_reach_everything(options, gate):
    dataset = example_dataset()
    learner = sdt(dataset, {"width": 16, "heads": 4}, {"unimodal_gate": gate})
    loss, found = gradients(learner, example_batch(dataset, **options))
    assert loss > 0
    assert all(torch.isfinite(g).all() for g in found)


def test_with_nothing_scored_the_loss_is_an_attached_zero():
    dataset = example_dataset()
    batch = example_batch(dataset)
    nothing = replace(batch, labels=torch.full_like(batch.labels, -1), scored=batch.scored[:0])
    loss, found = gradients(sdt(dataset, {"width": 16, "heads": 4}), nothing)
    assert loss == 0
    assert not any(g.any() for g in found)


def test_a_causal_model_hears_nothing_of_what_comes_later():
    dataset = example_dataset()
    learner = sdt(dataset, {"width": 16, "heads": 4, "window": {"future": 0}}).eval()
    batch = example_batch(dataset, lengths=(9,))
    later = batch.context.layout.position >= 5
    changed = {m: torch.where(later[:, None], x + 1, x) for m, x in batch.features.items()}
    speaker = torch.where(later, (batch.context.speaker + 1) % 3, batch.context.speaker)
    before = learner.model(batch.features, batch.context).decision.logits
    after = learner.model(changed, replace(batch.context, speaker=speaker)).decision.logits
    assert not learner.model.sees_future
    assert torch.equal(before[:5], after[:5])
    assert not torch.isclose(before[5:], after[5:]).all(-1).any()
