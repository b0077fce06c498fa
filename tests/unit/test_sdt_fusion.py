"""Gated fusion of SDT, and concatenation."""

import pytest
import torch

from ercframe import SpecError, Stream, Streams, StreamSpec
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.fusion.concat import ConcatFusion
from ercframe_plugins.fusion.hierarchical_gated import HierarchicalGatedFusion

# Shape letters: N utterances in the batch, M modalities, D features.

DATASET = example_dataset()
BATCH = example_batch(DATASET)
TEXT, AUDIO, VISUAL = Stream("text", "text"), Stream("audio", "audio"), Stream("visual", "visual")
ALL = [Stream(t, s) for t in DATASET.modalities for s in DATASET.modalities]
OWN = [TEXT, AUDIO, VISUAL]


def gated(streams=ALL, width=6, **settings):
    spec = StreamSpec(dict.fromkeys(streams, width))
    fusion = HierarchicalGatedFusion(HierarchicalGatedFusion.Config(**settings), DATASET, spec)
    return fusion, Streams({stream: torch.randn(len(BATCH.labels), width) for stream in streams})


def changed(streams, *which):
    return Streams({stream: x + 1 if stream in which else x for stream, x in streams.items()})


@pytest.mark.parametrize("streams", [ALL, OWN, [AUDIO], [Stream("joint", "joint")]], ids=len)
@pytest.mark.parametrize("unimodal_gate", ["learned", "silu", "none"])
def test_every_set_of_streams_becomes_one_representation_per_target(streams, unimodal_gate):
    fusion, tensors = gated(streams, unimodal_gate=unimodal_gate)
    fused = fusion(tensors, BATCH.context)
    targets = list(dict.fromkeys(stream.target for stream in streams))
    assert list(fused.by_modality) == list(fusion.spec.by_modality) == targets
    assert fused.joint.shape == (len(BATCH.labels), fusion.spec.width)
    assert fused.weights["modality"].shape == (len(BATCH.labels), len(targets))
    torch.testing.assert_close(fused.weights["modality"].sum(-1), torch.ones(len(BATCH.labels)))


def test_a_modality_depends_on_the_streams_into_it_alone():
    fusion, tensors = gated()
    before = fusion(tensors, BATCH.context).by_modality
    after = fusion(changed(tensors, Stream("audio", "text")), BATCH.context).by_modality
    assert [m for m in before if not torch.equal(before[m], after[m])] == ["audio"]


@pytest.mark.parametrize(
    ("target", "sources"),
    [("text", "text audio visual"), ("audio", "audio text visual"), ("visual", "visual text audio")],
)
def test_streams_are_reduced_own_first_then_the_others_in_the_recipes_order(target, sources):
    fusion, tensors = gated(unimodal_gate="none")
    tensors = Streams(
        {stream: tensors[stream] for stream in reversed(ALL)}
    )  # the promise counts, not the order in which they come
    reduce = fusion.reduce[target].requires_grad_(False)
    reduce.bias.zero_()
    for place, source in enumerate(sources.split()):
        reduce.weight.zero_()[:, 6 * place : 6 * place + 6] = torch.eye(6)
        reduced = fusion(tensors, BATCH.context).by_modality[target]
        torch.testing.assert_close(reduced, tensors[Stream(target, source)])


def test_a_silu_gate_is_a_learned_gate_with_the_identity():
    learned, tensors = gated(unimodal_gate="learned")
    silu, _ = gated(unimodal_gate="silu")
    with torch.no_grad():
        for gate in learned.gates.values():
            gate.score.weight.copy_(torch.eye(6))
    silu.load_state_dict({name: x for name, x in learned.state_dict().items() if not name.startswith("gates.")})
    torch.testing.assert_close(silu(tensors, BATCH.context).joint, learned(tensors, BATCH.context).joint)
    assert not list(silu.gates.parameters())


def test_streams_as_they_are_without_unimodal_gates():
    fusion, tensors = gated(OWN, unimodal_gate="none")
    fused = fusion(tensors, BATCH.context)
    torch.testing.assert_close(fused.by_modality["text"], fusion.reduce["text"](tensors[TEXT]))


def test_a_zero_gate_is_the_plain_mean_and_so_is_none():
    fusion, tensors = gated()
    without, _ = gated(multimodal_gate=False)
    without.load_state_dict({name: x for name, x in fusion.state_dict().items() if not name.startswith("choose.")})
    with torch.no_grad():
        fusion.choose.weight.zero_()
    a, b = fusion(tensors, BATCH.context), without(tensors, BATCH.context)
    torch.testing.assert_close(a.joint, torch.stack(list(a.by_modality.values())).mean(0))
    torch.testing.assert_close(b.joint, a.joint)
    torch.testing.assert_close(b.weights["modality"], torch.full((len(BATCH.labels), 3), 1 / 3))


def test_each_feature_chooses_for_itself_and_can_choose_one_modality_only():
    fusion, tensors = gated(OWN, unimodal_gate="none")
    with torch.no_grad():
        fusion.choose.weight.copy_(1e4 * torch.eye(6))
    fused = fusion(tensors, BATCH.context)
    torch.testing.assert_close(fused.joint, torch.stack(list(fused.by_modality.values())).amax(0))


def test_one_modality_is_its_own_joint_representation_without_idle_parameters():
    fusion, tensors = gated([AUDIO])
    fused = fusion(tensors, BATCH.context)
    assert torch.equal(fused.joint, fused.by_modality["audio"])
    assert fusion.choose is None


def test_half_precision_chooses_in_float32():
    fusion, tensors = gated()
    half = Streams({stream: x.bfloat16() for stream, x in tensors.items()})
    fused = fusion.bfloat16()(half, BATCH.context)
    assert fused.joint.dtype == torch.bfloat16
    assert fused.weights["modality"].dtype == torch.float32
    torch.testing.assert_close(fused.weights["modality"].sum(-1), torch.ones(len(BATCH.labels)))


def test_streams_of_two_widths_are_refused():
    spec = StreamSpec({TEXT: 4, AUDIO: 6})
    with pytest.raises(SpecError, match=r"needs streams of one width; the encoder provides text \(4\), audio \(6\)"):
        HierarchicalGatedFusion(HierarchicalGatedFusion.Config(), DATASET, spec)


def concat(widths):
    fusion = ConcatFusion(ConcatFusion.Config(), DATASET, StreamSpec(widths))
    return fusion, Streams({stream: torch.randn(len(BATCH.labels), width) for stream, width in widths.items()})


def test_concatenation_keeps_every_modality_as_it_is():
    fusion, tensors = concat({TEXT: 4, AUDIO: 2, VISUAL: 3})
    fused = fusion(tensors, BATCH.context)
    assert torch.equal(fused.joint, torch.cat([tensors[TEXT], tensors[AUDIO], tensors[VISUAL]], dim=-1))
    assert all(torch.equal(fused.by_modality[s.target], x) for s, x in tensors.items())
    assert fusion.spec.width == 9
    assert fusion.spec.by_modality == {"text": 4, "audio": 2, "visual": 3}
    assert not list(fusion.parameters())


def test_a_joint_stream_passes_concatenation():
    fusion, tensors = concat({Stream("joint", "joint"): 5})
    assert torch.equal(fusion(tensors, BATCH.context).joint, tensors[Stream("joint", "joint")])


def test_concatenation_needs_own_streams():
    with pytest.raises(SpecError, match="needs an own stream of audio; the encoder provides text"):
        concat({TEXT: 4, Stream("audio", "text"): 4})
