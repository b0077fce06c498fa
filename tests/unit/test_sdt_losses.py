"""Cross-entropy and self-distillation."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from ercframe import Decision, FusedSpec, FusionOutput, ModelOutput, ModelSpec, SpecError, Streams, StreamSpec
from ercframe.nn import class_weights
from ercframe.objective import mean
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.losses.cross_entropy import CrossEntropy
from ercframe_plugins.losses.self_distillation import SelfDistillation

# Shape letters: N utterances in the batch, S scored utterances, D features, C emotions.

DATASET = example_dataset()
BATCH = example_batch(DATASET)
LABELS_S = BATCH.labels[BATCH.scored]
SPEC = ModelSpec(StreamSpec({}), FusedSpec(6, dict.fromkeys(DATASET.modalities, 6)))


def output(scale=1.0):
    """A model's output with leaves that take gradients."""
    rows, classes = len(BATCH.labels), len(DATASET.labels)
    by_modality = {m: (scale * torch.randn(rows, 6)).requires_grad_() for m in DATASET.modalities}
    fused = FusionOutput(torch.randn(rows, 6), by_modality)
    return ModelOutput(Streams({}), fused, Decision((scale * torch.randn(rows, classes)).requires_grad_()))


def cross_entropy(**settings):
    return CrossEntropy(CrossEntropy.Config(**settings), DATASET, SPEC)


def distillation(dataset=DATASET, spec=SPEC, **settings):
    return SelfDistillation(SelfDistillation.Config(**{"dropout": 0.0} | settings), dataset, spec)


def test_inverse_frequency_gives_every_emotion_the_same_share():
    weight_C = class_weights("inverse_frequency", DATASET)
    counts_C = torch.tensor(DATASET.class_counts)
    torch.testing.assert_close(weight_C * counts_C, torch.full((4,), float(counts_C.sum())))


def test_an_emotion_never_trained_on_weighs_nothing():
    weight_C = class_weights("inverse_frequency", replace(DATASET, class_counts=(3, 0, 1, 0)))
    assert weight_C.tolist() == [pytest.approx(4 / 3), 0, 4, 0]


def test_no_weights_and_given_weights_are_taken_as_they_are():
    assert class_weights("none", DATASET) is None
    assert class_weights((1, 0.5, 0, 2), DATASET).tolist() == [1, 0.5, 0, 2]


@pytest.mark.parametrize("make", [cross_entropy, distillation])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((1, 2, 3), r"one number for each of the 4 emotions happy, sad, neutral, angry \(got 3\)"),
        ((0, 0, 0, 0), r"at least one number above 0 \(got \[0.0, 0.0, 0.0, 0.0\]\)"),
    ],
)
def test_weights_that_do_not_fit_the_corpus_are_refused(make, weights, message):
    with pytest.raises(ValueError, match=f"class_weights must have {message}"):
        make(class_weights=weights)


def test_inverse_frequency_needs_counts():
    with pytest.raises(ValueError, match=r"'inverse_frequency' must know the class counts of 'example' \(got none\)"):
        class_weights("inverse_frequency", replace(DATASET, class_counts=()))


@pytest.mark.parametrize("weights", ["none", "inverse_frequency", (1, 0, 2, 0.5)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_pytorchs_over_scored_utterances(weights, smoothing):
    out = output()
    term = cross_entropy(class_weights=weights, label_smoothing=smoothing)(out, BATCH)["nll"]
    weight_C = class_weights(weights, DATASET)
    expected = functional.cross_entropy(
        out.decision.logits, BATCH.labels, weight_C, ignore_index=-1, label_smoothing=smoothing
    )
    torch.testing.assert_close(mean(term), expected)


def test_weighted_utterances_count_as_their_weight():
    term = cross_entropy(class_weights=(1, 0, 2, 0.5))(output(), BATCH)["nll"]
    assert term.count == sum((1, 0, 2, 0.5)[label] for label in LABELS_S.tolist())
    assert cross_entropy()(output(), BATCH)["nll"].count == len(LABELS_S)


@pytest.mark.parametrize("make", [cross_entropy, distillation])
def test_half_precision_is_summed_in_float32_and_double_stays_double(make):
    out = output()
    for dtype, expected in ((torch.bfloat16, torch.float32), (torch.float64, torch.float64)):
        loss = make(class_weights="inverse_frequency").to(dtype)
        fused = replace(out.fused, by_modality={m: x.to(dtype) for m, x in out.fused.by_modality.items()})
        terms = loss(replace(out, fused=fused, decision=Decision(out.decision.logits.to(dtype))), BATCH)
        assert {x.dtype for term in terms.values() for x in (term.total, term.count)} == {expected}


def test_distillation_names_a_hard_and_a_soft_term_for_each_modality():
    terms = distillation()(output(), BATCH)
    assert list(terms) == ["hard_text", "hard_audio", "hard_visual", "soft_text", "soft_audio", "soft_visual"]


def test_students_read_their_own_modality_and_learn_from_labels():
    loss, out = distillation(class_weights=(1, 0, 2, 0.5)), output()
    terms, logits = loss(out, BATCH), loss.predictions(out)
    assert list(logits) == list(DATASET.modalities)
    for m in DATASET.modalities:
        expected = functional.cross_entropy(logits[m], BATCH.labels, torch.tensor([1, 0, 2, 0.5]), ignore_index=-1)
        torch.testing.assert_close(mean(terms[f"hard_{m}"]), expected)
        gradient = torch.autograd.grad(terms[f"hard_{m}"].total, out.fused.by_modality.values(), allow_unused=True)
        assert [g is not None for g in gradient] == [m == other for other in DATASET.modalities]


def test_students_put_relu_before_their_linear_map():
    loss, out = distillation(), output()
    negative = {m: -x.abs() for m, x in out.fused.by_modality.items()}
    logits = loss.predictions(replace(out, fused=replace(out.fused, by_modality=negative)))
    assert all(len(x.unique(dim=0)) == 1 for x in logits.values())


@pytest.mark.parametrize("temperature", [1.0, 8.0])
def test_the_soft_term_is_the_divergence_of_softened_decisions(temperature):
    loss, out = distillation(temperature=temperature, class_weights="inverse_frequency"), output()
    terms, student = loss(out, BATCH), loss.predictions(out)["text"]
    p_SC = (out.decision.logits / temperature).softmax(-1)[BATCH.scored]
    q_SC = (student / temperature).softmax(-1)[BATCH.scored]
    expected = (p_SC * (p_SC / q_SC).log()).sum() / len(LABELS_S)  # the plain mean: class weights are not for it
    torch.testing.assert_close(mean(terms["soft_text"]), expected)


def test_a_student_that_agrees_with_the_teacher_has_nothing_to_learn():
    loss, out = distillation(temperature=3.0), output()
    student = loss.predictions(out)["audio"].detach().requires_grad_()
    total = loss(replace(out, decision=Decision(student)), BATCH)["soft_audio"].total
    gradient = torch.autograd.grad(total, [student, out.fused.by_modality["audio"]])
    assert abs(total) < 1e-5
    assert all(g.abs().max() < 1e-6 for g in gradient)


@pytest.mark.parametrize("detach", [False, True])
def test_the_teacher_learns_unless_it_is_detached(detach):
    out = output()
    terms = distillation(detach_teacher=detach)(out, BATCH)
    total = terms["soft_text"].total
    (gradient,) = torch.autograd.grad(total, [out.decision.logits], allow_unused=True)
    assert (gradient is None) is detach


def test_scaled_by_temperature_the_gradient_keeps_its_size():
    def size(temperature, scaled):
        torch.manual_seed(1)
        loss, out = distillation(temperature=temperature, scale_by_temperature=scaled), output()
        total = loss(out, BATCH)["soft_text"].total
        return float(torch.autograd.grad(total, out.fused.by_modality["text"])[0].norm())

    assert size(50.0, True) == pytest.approx(size(100.0, True), rel=0.05)
    assert size(50.0, False) == pytest.approx(4 * size(100.0, False), rel=0.05)


def test_decisions_without_doubt_leave_finite_gradients():
    # A probability of exactly 0 is where the released divergence becomes NaN.
    loss, out = distillation(), output(scale=1e4)
    assert (out.decision.logits.softmax(-1) == 0).any()
    total = torch.stack([term.total for term in loss(out, BATCH).values()]).sum()
    leaves = [out.decision.logits, *out.fused.by_modality.values(), *loss.parameters()]
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(total, leaves))


def test_dropout_is_before_the_students_and_for_training_only():
    loss, out = distillation(dropout=0.9), output()
    quiet = loss.eval().predictions(out)["text"]
    assert torch.equal(loss.predictions(out)["text"], quiet)
    assert not torch.equal(loss.train().predictions(out)["text"], quiet)
    dropped = replace(out, fused=replace(out.fused, by_modality={m: torch.zeros(14, 6) for m in DATASET.modalities}))
    assert len(loss.predictions(dropped)["text"].unique(dim=0)) == 1  # nothing to drop before the linear map


def test_a_fusion_must_keep_modalities_apart():
    spec = ModelSpec(StreamSpec({}), FusedSpec(6))
    with pytest.raises(SpecError, match="needs one representation per modality; the fusion provides none"):
        distillation(spec=spec)
