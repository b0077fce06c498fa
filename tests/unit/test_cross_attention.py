"""The fusion cross_attention: who asks whom in which order, how far, and layers that agree with PyTorch's own."""

import pytest
import torch
from torch import nn

from ercframe import SpecError, Stream, Streams, StreamSpec
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.fusion.cross_attention import CrossAttentionFusion

# Shape letters: N utterances, D features, L utterances of a dialogue.

WIDTH = 4
THREE = ("text", "audio", "visual")
LENGTHS = (4, 1, 6)


def build(modalities=THREE, **config):
    spec = StreamSpec({Stream(m, m): WIDTH for m in modalities})
    config = CrossAttentionFusion.Config(**{"layers": 2, "heads": 2, "hidden": 5} | config)
    fusion = CrossAttentionFusion(config, example_dataset(dict.fromkeys(modalities, 3)), spec)
    for parameter in fusion.double().parameters():
        nn.init.normal_(parameter, std=0.5)  # fresh norms are all ones, fresh biases of attention small
    return fusion.eval()


def streams_of(fusion, lengths=LENGTHS):
    return {m: torch.randn(sum(lengths), WIDTH, dtype=torch.float64) for m in fusion.modalities}


def fuse(fusion, x, lengths=LENGTHS):
    context = example_batch(example_dataset(1), lengths).context
    return fusion(Streams({Stream(m, m): x_ND for m, x_ND in x.items()}), context)


def written_out(fusion, x, modality):
    """One dialogue by PyTorch's own attention, layer norms and the formula."""
    h_LD, others = x[modality], [x[m] for m in fusion.modalities if m != modality]
    for layer in fusion.layers[modality]:
        for attention, norm, other_LD in zip(layer.attentions, layer.attention_norms, others, strict=True):
            reference = nn.MultiheadAttention(WIDTH, attention.heads, dtype=torch.float64)
            inner = (attention.query, attention.key, attention.value)
            reference.in_proj_weight.data = torch.cat([linear.weight for linear in inner]).data
            reference.in_proj_bias.data = torch.cat([linear.bias for linear in inner]).data
            reference.out_proj.load_state_dict(attention.output.state_dict())
            h_LD = norm(h_LD + reference(h_LD, other_LD, other_LD, need_weights=False)[0])
        h_LD = layer.norm(h_LD + layer.narrow(torch.relu(layer.widen(h_LD))))
    return h_LD


@pytest.mark.parametrize("modalities", [("text",), ("a", "b"), THREE, ("a", "b", "c", "d")])
def test_agrees_with_the_equations_dialogue_by_dialogue(modalities):
    fusion = build(modalities)
    x = streams_of(fusion)
    found = fuse(fusion, x)
    for m in modalities:
        parts = zip(*(x_ND.split(LENGTHS) for x_ND in x.values()), strict=True)
        expected = [written_out(fusion, dict(zip(modalities, part, strict=True)), m) for part in parts]
        torch.testing.assert_close(found.by_modality[m], torch.cat(expected))
    torch.testing.assert_close(found.joint, fusion.mix(torch.cat(list(found.by_modality.values()), dim=-1)))


def test_one_layer_by_hand():
    fusion = build(("a", "b"), layers=1, heads=1, hidden=4)
    (layer,) = fusion.layers["a"]
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    for linear in (layer.attentions[0].value, layer.attentions[0].output):
        nn.init.eye_(linear.weight)
    for norm in (*layer.attention_norms, layer.norm):
        nn.init.ones_(norm.weight)
    # Scores are all zero, so a hears the mean of b over the dialogue; a norm of (3, -1, -1, -1) is (1.73, -0.58, …).
    x = {"a": torch.zeros(2, 4).double(), "b": torch.tensor([[6.0, 0, 0, 0], [0, -2, -2, -2]]).double()}
    expected = torch.tensor([3.0, -1, -1, -1]).double() / 3**0.5
    torch.testing.assert_close(fuse(fusion, x, (2,)).by_modality["a"], expected.expand(2, 4), rtol=1e-4, atol=0)


def test_the_order_in_which_the_others_are_asked_matters():
    fusion, swapped = build(layers=1), build(("text", "visual", "audio"), layers=1)
    swapped.layers["text"].load_state_dict(fusion.layers["text"].state_dict())
    x = streams_of(fusion)
    first, second = (fuse(f, x).by_modality["text"] for f in (fusion, swapped))
    assert not torch.allclose(first, second)


def test_keys_and_values_stay_those_of_the_encoder():
    fusion = build(("text", "audio"))
    x = streams_of(fusion)
    before = fuse(fusion, x).by_modality["text"]
    for parameter in fusion.layers["audio"].parameters():
        nn.init.normal_(parameter)
    torch.testing.assert_close(fuse(fusion, x).by_modality["text"], before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("window", "past", "future"), [(None, 99, 99), ({"past": 1, "future": 0}, 1, 0), ({"future": 0}, 99, 0)]
)
def test_a_layer_hears_the_window_of_its_dialogue_and_nothing_else(window, past, future):
    fusion = build(("text", "audio"), layers=1, window=window)
    x = streams_of(fusion)
    x["audio"].requires_grad_()
    y_ND = fuse(fusion, x).by_modality["text"]
    direction_D = torch.randn(WIDTH, dtype=torch.float64)
    slopes = [torch.autograd.grad(y_D @ direction_D, x["audio"], retain_graph=True)[0] for y_D in y_ND]
    heard_NN = torch.stack(slopes).abs().sum(-1) > 0
    layout = example_batch(example_dataset(1), LENGTHS).context.layout
    ahead_NN = layout.position[None, :] - layout.position[:, None]
    expected_NN = (layout.dialogue[None, :] == layout.dialogue[:, None]) & (ahead_NN >= -past) & (ahead_NN <= future)
    assert torch.equal(heard_NN, expected_NN)


@pytest.mark.parametrize(
    ("modalities", "window", "sees"),
    [(THREE, None, True), (THREE, {"past": 2}, True), (THREE, {"future": 0}, False), (("text",), None, False)],
)
def test_the_future_is_seen_unless_nobody_is_asked_about_it(modalities, window, sees):
    assert build(modalities, window=window).sees_future is sees


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r"^heads must divide the width of the streams, 4 \(got 3\)$"):
        build(heads=3)


def test_streams_must_have_one_width():
    spec = StreamSpec({Stream("text", "text"): 4, Stream("audio", "audio"): 6})
    with pytest.raises(SpecError, match=r"needs streams of one width; the encoder provides text \(4\), audio \(6\)"):
        CrossAttentionFusion(CrossAttentionFusion.Config(), example_dataset(2), spec)
