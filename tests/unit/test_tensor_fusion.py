"""Tensor fusion: every product of one feature from each modality."""

import pytest
import torch
from torch import nn

from ercframe import FusedSpec, ModelSpec, SpecError, Stream, Streams, StreamSpec
from ercframe.plugins import load
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.fusion.tensor import TensorFusion

WIDTHS = {"text": 5, "audio": 4, "visual": 3, "pose": 2}


def build(modalities, **config):
    widths = {m: WIDTHS[m] for m in modalities}
    spec = StreamSpec({Stream(m, m): width for m, width in widths.items()})
    return TensorFusion(TensorFusion.Config(**config), example_dataset(widths), spec)


def streams_of(fusion, rows=6):
    return Streams({Stream(m, m): torch.randn(rows, WIDTHS[m]) for m in fusion.reduce})


def fuse(fusion, streams):
    return fusion(streams, example_batch(example_dataset(1), (len(next(iter(streams.values()))),)).context)


def make_identity(reduce):
    """Let a linear map of equal widths change nothing."""
    nn.init.eye_(reduce.weight)
    nn.init.zeros_(reduce.bias)


def test_the_joint_vector_holds_every_product():
    spec = StreamSpec({Stream("a", "a"): 2, Stream("b", "b"): 2})
    fusion = TensorFusion(TensorFusion.Config(subspace=2), example_dataset({"a": 2, "b": 2}), spec)
    for reduce in fusion.reduce.values():
        make_identity(reduce)
    streams = Streams({Stream("a", "a"): torch.tensor([[2.0, 3.0]]), Stream("b", "b"): torch.tensor([[5.0, 7.0]])})
    assert fuse(fusion, streams).joint.tolist() == [[1, 5, 7, 2, 10, 14, 3, 15, 21]]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_any_number_of_modalities_of_any_width(count):
    fusion = build(list(WIDTHS)[:count], subspace=3)
    joint = fuse(fusion, streams_of(fusion)).joint
    assert joint.shape == (6, 4**count)
    assert fusion.spec.width == 4**count


def test_one_modality_is_itself_beside_a_one():
    fusion = build(["pose"], subspace=2)
    make_identity(fusion.reduce["pose"])
    streams = streams_of(fusion)
    torch.testing.assert_close(
        fuse(fusion, streams).joint, torch.cat([torch.ones(6, 1), streams.intra("pose")], dim=-1)
    )


def test_a_silent_modality_leaves_the_products_of_the_others():
    fusion = build(["text", "audio"], subspace=2)
    nn.init.zeros_(fusion.reduce["audio"].bias)
    streams = Streams({**streams_of(fusion), Stream("audio", "audio"): torch.zeros(6, 4)})
    joint_NTA = fuse(fusion, streams).joint.view(6, 3, 3)
    assert (joint_NTA[:, :, 1:] == 0).all()
    torch.testing.assert_close(joint_NTA[:, 1:, 0], fusion.reduce["text"](streams.intra("text")))


def test_a_product_that_is_too_wide_is_refused():
    message = (
        r"^the product of 3 modalities must have at most max_width=100 features \(got 9\^3 = 729\); lower subspace$"
    )
    with pytest.raises(ValueError, match=message):
        build(["text", "audio", "visual"], max_width=100)


def test_a_loss_that_needs_each_modality_refuses_it():
    fusion = build(["text", "audio"])
    assert fusion.spec == FusedSpec(81, {})
    distillation = load().get("loss", "self_distillation")
    spec = ModelSpec(StreamSpec({Stream("text", "text"): 5, Stream("audio", "audio"): 4}), fusion.spec)
    with pytest.raises(SpecError, match=r"needs one representation per modality; the fusion provides none"):
        distillation(distillation.Config(), example_dataset(2), spec)
