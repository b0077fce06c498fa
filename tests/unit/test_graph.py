"""The graph fusion: edges by angle, and layers that spread over them."""

import math
from dataclasses import replace

import pytest
import torch

from ercframe import Layout, SpecError, Stream, Streams, StreamSpec
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.fusion.graph import GraphFusion
from ercframe_plugins.fusion.utterance_graph import connect

# Shape letters: B dialogues, L longest dialogue, N utterances, M modalities, D features.

WIDTH = 4
SELF = 1 - math.acos(0.99999) / math.pi


def build(modalities=("text", "audio", "visual"), **config):
    spec = StreamSpec({Stream(m, m): WIDTH for m in modalities})
    return GraphFusion(
        GraphFusion.Config(hidden=3, **config), example_dataset(dict.fromkeys(modalities, 5)), spec
    ).eval()


def streams_of(modalities=("text", "audio", "visual"), rows=14, **options):
    return Streams({Stream(m, m): torch.randn(rows, WIDTH, **options) for m in modalities})


def context_of(lengths=(4, 1, 6, 3)):
    return example_batch(example_dataset(1), lengths).context


def matrix(x_MLD):
    """The whole adjacency matrix of one dialogue, nodes of the first modality first."""
    modalities, length, _ = x_MLD.shape
    edges = connect(x_MLD[None], Layout.from_lengths([length]))
    units = torch.eye(modalities * length, dtype=x_MLD.dtype).view(1, modalities, length, -1)
    return edges.spread(units).view(modalities * length, -1)


class TestEdges:
    def test_two_utterances_of_two_modalities_by_hand(self):
        x_MLD = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, -3.0]]], dtype=torch.float64)
        away = 1 - math.acos(-0.99999) / math.pi
        weights = torch.tensor(
            [[SELF, 0.5, SELF, 0], [0.5, SELF, 0, away], [SELF, 0, SELF, 0.5], [0, away, 0.5, SELF]],
            dtype=torch.float64,
        )
        scale = weights.sum(-1).rsqrt()
        torch.testing.assert_close(matrix(x_MLD), scale[:, None] * weights * scale)

    def test_the_matrix_is_symmetric_and_never_amplifies(self):
        x_MLD = torch.randn(3, 5, 4, dtype=torch.float64)
        adjacency = matrix(x_MLD)
        torch.testing.assert_close(adjacency, adjacency.T)
        assert torch.linalg.eigvalsh(adjacency).abs().max() == pytest.approx(1)

    def test_only_directions_count(self):
        x_MLD = torch.randn(2, 3, 4)
        torch.testing.assert_close(matrix(x_MLD), matrix(x_MLD * torch.rand(2, 3, 1).add(0.1)))

    def test_one_utterance_of_one_modality_keeps_itself(self):
        assert matrix(torch.randn(1, 1, 4)).item() == pytest.approx(1)

    def test_under_autocast_angles_keep_their_precision(self):
        layout, x_BMLD = Layout.from_lengths([6]), torch.randn(1, 1, 6, 50)
        nearly_parallel = (torch.randn(50) + 0.05 * x_BMLD).bfloat16()
        exact = connect(nearly_parallel.double(), layout).within
        with torch.autocast("cpu", dtype=torch.bfloat16):
            kept = connect(nearly_parallel.float(), layout).within
            rounded = connect(nearly_parallel, layout).within
        assert kept.dtype == torch.float32
        assert (kept - exact).abs().max() < 1e-5
        assert rounded.dtype == torch.bfloat16
        torch.testing.assert_close(rounded, exact.bfloat16(), rtol=0.01, atol=0)

    def test_float64_stays(self):
        assert connect(torch.randn(1, 2, 3, 4).double(), Layout.from_lengths([3])).across.dtype == torch.float64

    def test_parallel_and_opposite_nodes_have_finite_gradients(self):
        x_BMLD = torch.tensor([[[[1.0, 2.0], [2.0, 4.0], [-3.0, -6.0]]]], requires_grad=True)
        connect(x_BMLD, Layout.from_lengths([3])).within.square().sum().backward()
        assert torch.isfinite(x_BMLD.grad).all()


class TestMissing:
    @pytest.mark.parametrize("missing", [["audio"], ["text", "audio", "visual"]])
    def test_zero_nodes_stay_finite_with_gradients_of_ordinary_size(self, missing):
        fusion = build()
        streams = streams_of()
        streams = Streams({s: torch.zeros_like(x) if s.target in missing else x for s, x in streams.items()})
        for x_ND in streams.values():
            x_ND.requires_grad_()
        joint = fusion(streams, context_of()).joint
        joint.square().sum().backward()
        assert torch.isfinite(joint).all()
        assert all(x_ND.grad.abs().max() < 1e3 for x_ND in streams.values())

    def test_a_zero_node_is_at_a_right_angle_to_everything(self):
        x_MLD = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
        scale = torch.tensor([1.0, 0.5 + SELF]).rsqrt()
        torch.testing.assert_close(matrix(x_MLD), scale[:, None] * torch.tensor([[0.5, 0.5], [0.5, SELF]]) * scale)


class TestLayers:
    @pytest.mark.parametrize("layers", [1, 3, 8])
    def test_there_are_as_many_as_the_config_says_and_each_is_used(self, layers):
        fusion = build(layers=layers)
        used = []
        for layer in fusion.layers:
            layer.register_forward_hook(lambda layer, inputs, output: used.append(layer))
        fusion(streams_of(), context_of())
        assert len(fusion.layers) == layers
        assert used == list(fusion.layers)

    def test_the_learned_map_fades_with_depth(self):
        thetas = [layer.theta for layer in build(layers=3, decay=0.5).layers]
        assert thetas == pytest.approx([math.log(1.5), math.log(1.25), math.log(1 + 0.5 / 3)])

    def test_with_everything_from_the_first_layer_nothing_spreads_but_what_is_learned(self):
        fusion = build(alpha=1.0, layers=2)
        for layer in fusion.layers:
            torch.nn.init.zeros_(layer.mix.weight)
        streams = streams_of(rows=5)
        h_ND = fusion(streams, context_of((5,))).by_modality["text"][:, WIDTH:]
        shares = math.prod(1 - layer.theta for layer in fusion.layers[1:])
        torch.testing.assert_close(h_ND, shares * torch.relu(fusion.first(streams.intra("text"))))


class TestSpeaker:
    def test_the_row_is_added_where_asked_for_and_nowhere_else(self):
        fusion, streams, context = build(speaker_embedding_on=("audio",)), streams_of(), context_of()
        before = {stream: x_ND.clone() for stream, x_ND in streams.items()}
        out = fusion(streams, context).by_modality
        rows_ND = fusion.speaker(context.speaker)
        torch.testing.assert_close(out["audio"][:, :WIDTH], streams.intra("audio") + rows_ND)
        torch.testing.assert_close(out["text"][:, :WIDTH], streams.intra("text"))
        assert all(torch.equal(before[stream], x_ND) for stream, x_ND in streams.items())

    def test_an_unknown_speaker_starts_with_zeros(self):
        fusion, plain = build(speaker_embedding_on=("text",)), build()
        plain.load_state_dict({n: x for n, x in fusion.state_dict().items() if n != "speaker.weight"})
        streams, context = streams_of(), context_of()
        unknown = replace(context, speaker=torch.full_like(context.speaker, 3))
        torch.testing.assert_close(fusion(streams, unknown).joint, plain(streams, context).joint)

    @pytest.mark.parametrize("nobody", [None, ()])
    def test_without_there_is_no_table(self, nobody):
        assert build(speaker_embedding_on=nobody).speaker is None

    def test_an_unknown_modality_is_refused(self):
        message = r"^speaker_embedding_on must name modalities among text, audio, visual \(got txt\)$"
        with pytest.raises(ValueError, match=message):
            build(speaker_embedding_on=("txt", "text"))


@pytest.mark.parametrize("modalities", [["text"], ["text", "audio"], ["text", "audio", "visual", "pose", "timing"]])
def test_any_number_of_modalities(modalities):
    fusion = build(modalities, speaker_embedding_on=("text",))
    out = fusion(streams_of(modalities), context_of())
    assert out.joint.shape == (14, len(modalities) * (WIDTH + 3))
    assert list(out.by_modality) == modalities
    torch.testing.assert_close(torch.cat(list(out.by_modality.values()), dim=-1), out.joint)


@pytest.mark.parametrize("fill", [0.0, 9.0])
def test_a_dialogue_alone_is_as_in_a_batch_whatever_gaps_hold(fill):
    fusion, streams, context = build(speaker_embedding_on=("text",)), streams_of(), context_of()
    together = fusion(streams, replace(context, layout=replace(context.layout, fill=fill))).joint
    first = Streams({stream: x_ND[:4] for stream, x_ND in streams.items()})
    torch.testing.assert_close(together[:4], fusion(first, context_of((4,))).joint)


def test_streams_of_several_widths_are_refused():
    spec = StreamSpec({Stream("text", "text"): 4, Stream("audio", "audio"): 3})
    with pytest.raises(SpecError, match=r"needs streams of one width; the encoder provides text \(4\), audio \(3\)"):
        GraphFusion(GraphFusion.Config(), example_dataset(2), spec)
