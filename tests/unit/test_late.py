"""Late fusion: what is mixed, with which weights, and what a missing modality does."""

import math

import pytest
import torch

from ercframe import FusedSpec, FusionOutput, SpecError
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.classifiers.late import LateClassifier

MODALITIES = ("text", "audio", "visual")
WIDTH = 5


def late(mix="probabilities", modalities=MODALITIES):
    spec = FusedSpec(3, dict.fromkeys(modalities, WIDTH))
    return LateClassifier(LateClassifier.Config(mix=mix), example_dataset(), spec).double()


def fused(context, modalities=MODALITIES):
    rows = context.layout.utterances
    return FusionOutput(torch.zeros(rows, 3), {m: torch.randn(rows, WIDTH, dtype=torch.float64) for m in modalities})


def context(**options):
    return example_batch(example_dataset(), **options).context


def probabilities(classifier, output):
    """Each modality's own decision, M tensors ``(N, C)``."""
    pairs = zip(classifier.heads, output.by_modality.values(), strict=True)
    return [head(x).softmax(-1) for head, x in pairs]


@pytest.mark.parametrize("mix", ["probabilities", "log_probabilities"])
def test_logits_are_logarithms_of_probabilities(mix):
    everybody = context()
    decision = late(mix)(fused(everybody), everybody)
    assert torch.allclose(decision.logits.exp().sum(-1), torch.ones(14, dtype=torch.float64))


def test_equal_weights_at_first_give_the_mean():
    everybody = context(holes=False)
    classifier, output = late(), fused(everybody)
    mixed = classifier(output, everybody).logits.exp()
    assert torch.allclose(mixed, sum(probabilities(classifier, output)) / 3)


def test_product_rule_is_the_normalised_geometric_mean():
    everybody = context(holes=False)
    classifier, output = late("log_probabilities"), fused(everybody)
    product = math.prod(probabilities(classifier, output)) ** (1 / 3)
    mixed = classifier(output, everybody).logits.exp()
    assert torch.allclose(mixed, product / product.sum(-1, keepdim=True))


@pytest.mark.parametrize("mix", ["probabilities", "log_probabilities"])
def test_one_modality_alone_decides(mix):
    everybody = context()
    classifier, output = late(mix, ("text",)), fused(everybody, ("text",))
    mixed = classifier(output, everybody).logits.exp()
    assert torch.allclose(mixed, probabilities(classifier, output)[0])


def test_only_the_product_rule_lets_one_modality_veto():
    everybody = context(holes=False)
    mixed = {}
    for mix in ("probabilities", "log_probabilities"):
        classifier = late(mix)
        with torch.no_grad():
            for head in classifier.heads:
                head.weight.zero_()
                head.bias.zero_()
            classifier.heads[1].bias[0] = -1000.0  # audio rules the first emotion out
        mixed[mix] = classifier(fused(everybody), everybody).logits.detach().exp()[0, 0]
    assert float(mixed["probabilities"]) == pytest.approx(2 / 3 * 1 / 4)
    assert float(mixed["log_probabilities"]) < 1e-100


def test_weights_are_learned_and_reported():
    everybody = context(holes=False)
    classifier = late()
    with torch.no_grad():
        classifier.score.copy_(torch.tensor([1.0, 2.0, 3.0]).log())
    weights = classifier(fused(everybody), everybody).weights["modality"]
    assert torch.allclose(weights, torch.tensor([1 / 6, 2 / 6, 3 / 6], dtype=torch.float64).expand(14, 3))
    assert weights.requires_grad


def test_missing_modality_weighs_nothing_and_the_rest_is_scaled_up():
    without_audio = context(holes=False, lacking=("audio",))
    classifier, output = late(), fused(without_audio)
    with torch.no_grad():
        classifier.score.copy_(torch.tensor([1.0, 2.0, 3.0]).log())
    decision = classifier(output, without_audio)
    assert torch.allclose(decision.weights["modality"][0], torch.tensor([1 / 4, 0, 3 / 4], dtype=torch.float64))
    text, _, visual = probabilities(classifier, output)
    assert torch.allclose(decision.logits.exp(), text / 4 + 3 / 4 * visual)


@pytest.mark.parametrize("mix", ["probabilities", "log_probabilities"])
def test_without_any_modality_the_learned_weights_hold_and_gradients_are_finite(mix):
    nothing = context(lacking=MODALITIES)
    classifier = late(mix)
    decision = classifier(fused(nothing), nothing)
    assert torch.allclose(decision.weights["modality"], torch.full((14, 3), 1 / 3, dtype=torch.float64))
    decision.logits[:, 0].sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in classifier.parameters())


def test_missing_modality_gets_no_gradient_from_its_row():
    without_audio = context(holes=False, lacking=("audio",))
    classifier, output = late(), fused(without_audio)
    classifier(output, without_audio).logits.square().sum().backward()
    _, audio, _ = classifier.heads
    assert not audio.weight.grad.any()
    assert torch.isfinite(classifier.score.grad).all()


def test_joint_stream_counts_as_available():
    nothing = context(lacking=MODALITIES)
    modalities = ("text", "joint")
    weights = late(modalities=modalities)(fused(nothing, modalities), nothing).weights["modality"]
    assert torch.equal(weights[0], torch.tensor([0.0, 1.0], dtype=torch.float64))


def test_extreme_decisions_stay_finite():
    everybody = context()
    for mix in ("probabilities", "log_probabilities"):
        classifier, output = late(mix).float(), fused(everybody)
        loud = FusionOutput(output.joint, {m: 1e4 * x.float() for m, x in output.by_modality.items()})
        decision = classifier(loud, everybody)
        assert torch.isfinite(decision.logits).all()


def test_fusion_that_keeps_nothing_apart_is_refused():
    with pytest.raises(SpecError, match="needs one representation per modality; the fusion provides none"):
        LateClassifier(LateClassifier.Config(), example_dataset(), FusedSpec(3))
