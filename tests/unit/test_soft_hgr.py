"""Soft-HGR: its formula written out with d×d covariances, over utterances that have both modalities, down to none."""

from dataclasses import replace

import pytest
import torch

from ercframe import Decision, FusedSpec, FusionOutput, ModelOutput, ModelSpec, SpecError, Streams
from ercframe.testing import example_batch, example_dataset
from ercframe.testing.scenes import fused, own_streams
from ercframe_plugins.losses.soft_hgr import SoftHGR, soft_hgr

# Shape letters: N utterances, S scored utterances, D features.

DATASET = example_dataset()
BATCH = example_batch(DATASET)
WIDTH = 4


def build(modalities=tuple(DATASET.modalities), spec=None):
    spec = spec or fused(modalities)
    return SoftHGR(SoftHGR.Config(), DATASET, ModelSpec(own_streams(DATASET.modalities), spec))


def terms(h, batch=BATCH):
    return build(tuple(h))(ModelOutput(Streams({}), FusionOutput(h["text"], h), Decision(h["text"])), batch)


def random_h(modalities=tuple(DATASET.modalities)):
    return {m: torch.randn(len(BATCH.labels), WIDTH, dtype=torch.float64, requires_grad=True) for m in modalities}


def written_out(f, g):
    """The loss of one pair from rows of both, utterance by utterance and feature by feature."""
    rows, width = len(f), f[0].numel()
    f, g = ([x - sum(xs) / rows for x in xs] for xs in (list(f), list(g)))
    inner = sum(sum(a[d] * b[d] for d in range(width)) for a, b in zip(f, g, strict=True)) / (rows - 1)

    def covariance(xs):
        return [[sum(x[i] * x[j] for x in xs) / (rows - 1) for j in range(width)] for i in range(width)]

    one, other = covariance(f), covariance(g)
    trace = sum(one[i][j] * other[j][i] for i in range(width) for j in range(width))
    return trace / 2 - inner


def test_agrees_with_the_equation_over_scored_utterances_that_have_both():
    h = random_h()
    found = terms(h)
    assert list(found) == ["correlation_text_audio", "correlation_text_visual", "correlation_audio_visual"]
    for name, term in found.items():
        one, other = name.split("_")[1:]
        has = [BATCH.context.available[m].tolist() for m in (one, other)]
        rows = [n for n in BATCH.scored.tolist() if has[0][n] and has[1][n]]
        assert 2 < len(rows) < len(BATCH.scored)
        expected = written_out(h[one][rows], h[other][rows])
        torch.testing.assert_close(term.total / term.count, expected)
        assert float(term.count) == len(rows) - 1
        slopes = [torch.autograd.grad(x, h[one], retain_graph=True)[0] for x in (term.total / term.count, expected)]
        torch.testing.assert_close(*slopes)


def everybody(rows):
    return torch.ones(rows, dtype=torch.bool)


def test_two_utterances_by_hand():
    # Less their means the rows are ±1 and ±2: the product is (2 + 2) / 1, the covariances (features, 1×1) are 2 and 8.
    f, g = torch.tensor([[3.0], [1.0]]), torch.tensor([[5.0], [1.0]])
    found = soft_hgr(f, g, everybody(2))
    assert float(found.total / found.count) == 2 * 8 / 2 - 4


def test_covariances_are_between_features():
    # With covariances between utterances, (N, N), the number of features that repeat would enter otherwise.
    f, g = torch.randn(7, 3, dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64)
    found = soft_hgr(f, g, everybody(7))
    trace = torch.trace(torch.cov(f.T) @ torch.cov(g.T))
    inner = ((f - f.mean(0)) * (g - g.mean(0))).sum() / 6
    torch.testing.assert_close(found.total / found.count, trace / 2 - inner)


def test_lowest_where_both_are_equal_and_white():
    centred = torch.randn(9, WIDTH, dtype=torch.float64)
    white = torch.linalg.qr(centred - centred.mean(0))[0] * 8**0.5
    equal = soft_hgr(white, white, everybody(9))
    assert float(equal.total / equal.count) == pytest.approx(-WIDTH / 2)
    for other in (2 * white, white / 2, -white, torch.randn(9, WIDTH, dtype=torch.float64)):
        worse = soft_hgr(white, other, everybody(9))
        assert float(worse.total / worse.count) > -WIDTH / 2 + 0.1


def test_a_constant_added_to_a_representation_changes_nothing():
    f, g = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    torch.testing.assert_close(soft_hgr(f + 5, g - 3, everybody(6)).total, soft_hgr(f, g, everybody(6)).total)


@pytest.mark.parametrize("left", [0, 1], ids=["nobody", "one utterance"])
def test_fewer_than_two_utterances_are_an_attached_zero(left):
    h, batch = random_h(("text", "audio")), replace(BATCH, scored=BATCH.scored[:left])
    (term,) = terms(h, batch).values()
    assert (float(term.total.detach()), float(term.count)) == (0, 0)
    term.total.backward()
    assert not h["text"].grad.any()


def test_a_modality_that_all_lack_is_an_attached_zero():
    h = random_h(("text", "audio"))
    available = BATCH.context.available | {"audio": torch.zeros_like(BATCH.context.available["audio"])}
    (term,) = terms(h, replace(BATCH, context=replace(BATCH.context, available=available))).values()
    assert (float(term.total.detach()), float(term.count)) == (0, 0)
    term.total.backward()


def test_float32_products_under_autocast():
    f, g = torch.randn(50, 8), torch.randn(50, 8)
    plain = soft_hgr(f, g, everybody(50)).total
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(soft_hgr(f, g, everybody(50)).total, plain)


def test_one_modality_has_nobody_to_agree_with():
    with pytest.raises(
        ValueError, match=r"^must have the representations of two modalities or more \(got text \(6\)\)$"
    ):
        build(("text",))


def test_representations_must_have_one_width():
    with pytest.raises(ValueError, match=r"must have one width \(got text \(6\), audio \(4\)\)$"):
        build(spec=FusedSpec(6, {"text": 6, "audio": 4}))


def test_a_fusion_that_keeps_no_modality_is_refused():
    with pytest.raises(SpecError, match=r"needs one representation per modality; the fusion provides none"):
        build(spec=FusedSpec(6))
