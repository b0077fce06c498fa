"""The dynamic graph fusion, against its equations written out node by node."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from ercframe import Stream, Streams, StreamSpec, recipes
from ercframe.build import assemble
from ercframe.testing import example_batch, example_dataset
from ercframe.training.epoch import best
from ercframe.training.loop import fit
from ercframe.training.state import new_state
from ercframe_plugins.fusion.dynamic_graph import DynamicGraphFusion
from ercframe_plugins.fusion.graph import GraphFusion

# Shape letters: N utterances, M modalities, D features of a node, H features of a graph layer.

THREE = ("text", "audio", "visual")
WIDTH, HIDDEN = 4, 3


def build(modalities=THREE, kind=DynamicGraphFusion, **config):
    spec = StreamSpec({Stream(m, m): WIDTH for m in modalities})
    config = kind.Config(hidden=HIDDEN, **config)
    return kind(config, example_dataset(dict.fromkeys(modalities, 5)), spec).eval()


def streams_of(modalities=THREE, rows=14, **options):
    return Streams({Stream(m, m): torch.randn(rows, WIDTH, **options) for m in modalities})


def context_of(lengths=(4, 1, 6, 3)):
    return example_batch(example_dataset(1), lengths).context


def similarity(one: Tensor, other: Tensor) -> float:
    cosine = float(one @ other / (one.norm() * other.norm()))
    return 1 - math.acos(0.99999 * cosine) / math.pi


def adjacency(nodes: dict[tuple[str, int], Tensor]) -> dict[tuple, float]:
    """Weight of each pair of nodes ``(modality, turn)`` of one dialogue that has an edge, by degree."""
    joined = [(a, b) for a in nodes for b in nodes if a[0] == b[0] or a[1] == b[1]]
    weight = {(a, b): similarity(nodes[a], nodes[b]) for a, b in joined}
    degree = {a: sum(w for (first, _), w in weight.items() if first == a) for a in nodes}
    return {(a, b): w / math.sqrt(degree[a] * degree[b]) for (a, b), w in weight.items()}


def lstm_step(cell: torch.nn.LSTMCell, q: Tensor, s: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    gates = cell.weight_ih @ q + cell.bias_ih + cell.weight_hh @ s + cell.bias_hh
    i, f, g, o = gates.split(HIDDEN)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def written_out(fusion: DynamicGraphFusion, nodes, alpha: float, decay: float) -> dict[tuple[str, int], Tensor]:
    """What the fusion adds to each node of one dialogue: one node, one edge and one layer after the other."""
    edge = adjacency(nodes)
    first = {a: torch.relu(fusion.first.weight @ x + fusion.first.bias) for a, x in nodes.items()}
    q = dict(first)
    s = {a: torch.zeros(HIDDEN, dtype=torch.float64) for a in nodes}
    c = dict(s)
    for depth, layer in enumerate(fusion.layers, start=1):
        theta = math.log(decay / depth + 1)
        for a in nodes:
            s[a], c[a] = lstm_step(fusion.memory, q[a], s[a], c[a]) if fusion.memory else (q[a], c[a])
        after = {}
        for a in nodes:
            heard = sum(w * s[b] for (to, b), w in edge.items() if to == a)
            learned = layer.mix.weight @ torch.cat([heard, first[a]])
            z = theta * learned + (1 - theta) * ((1 - alpha) * heard + alpha * first[a])
            after[a] = torch.relu(z) + q[a]
        q = after
    return q


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("modalities", [("text",), ("text", "audio"), THREE])
@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_what_its_equations_say(layers, modalities, memory):
    fusion = build(modalities, layers=layers, alpha=0.3, decay=0.7, memory=memory).double()
    streams, lengths = streams_of(modalities, rows=4, dtype=torch.float64), (3, 1)
    out = fusion(streams, context_of(lengths)).by_modality
    start = 0
    for length in lengths:
        nodes = {(m, turn): streams.intra(m)[start + turn] for m in modalities for turn in range(length)}
        for (m, turn), q_H in written_out(fusion, nodes, alpha=0.3, decay=0.7).items():
            torch.testing.assert_close(out[m][start + turn], torch.cat([nodes[m, turn], q_H]))
        start += length


def test_a_node_that_lets_nothing_out_keeps_what_it_began_with_and_its_share_of_it():
    fusion = build(layers=3, alpha=0.2).double()
    with torch.no_grad():
        fusion.memory.bias_ih[-HIDDEN:] = -1e4  # output gates
        for layer in fusion.layers:
            layer.mix.weight.zero_()
    streams = streams_of(dtype=torch.float64)
    first_NH = torch.relu(fusion.first(streams.intra("audio")))
    kept = 1 + sum((1 - layer.theta) * 0.2 for layer in fusion.layers)
    torch.testing.assert_close(fusion(streams, context_of()).by_modality["audio"][:, WIDTH:], kept * first_NH)


def test_the_memory_goes_from_layer_to_layer():
    fusion, seen = build(layers=3), []
    fusion.memory.register_forward_hook(lambda cell, inputs, state: seen.append((inputs[1], state)))
    fusion(streams_of(), context_of())
    assert seen[0][0] is None
    for (_, left), (found, _) in pairwise(seen):
        assert found is left


def test_the_memory_holds_utterances_only():
    fusion, seen = build(layers=1), []
    fusion.memory.register_forward_hook(lambda cell, inputs, state: seen.append(len(inputs[0])))
    fusion(streams_of(), context_of((4, 1, 6, 3)))
    assert seen == [14 * 3]


def test_all_but_the_memory_is_that_of_graph():
    dynamic, static = (
        build(layers=2, speaker_embedding_on=("text",)),
        build(kind=GraphFusion, layers=2, speaker_embedding_on=("text",)),
    )
    own, shared = dynamic.state_dict(), static.state_dict()
    assert {name for name in own if name not in shared} == {
        f"memory.{name}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    assert {name: x.shape for name, x in shared.items()} == {name: own[name].shape for name in shared}
    assert dynamic.spec == static.spec


@pytest.mark.parametrize("missing", [["audio"], list(THREE)])
def test_zero_nodes_stay_finite_with_gradients_of_ordinary_size(missing):
    fusion = build(layers=16)
    streams = Streams({s: torch.zeros_like(x) if s.target in missing else x for s, x in streams_of().items()})
    for x_ND in streams.values():
        x_ND.requires_grad_()
    joint = fusion(streams, context_of()).joint
    joint.square().sum().backward()
    assert torch.isfinite(joint).all()
    assert all(x_ND.grad.abs().max() < 1e3 for x_ND in streams.values())


@pytest.mark.parametrize("fill", [0.0, 9.0])
def test_a_dialogue_alone_is_as_in_a_batch_whatever_gaps_hold(fill):
    fusion, streams, context = build(speaker_embedding_on=("text",)), streams_of(), context_of()
    together = fusion(streams, replace(context, layout=replace(context.layout, fill=fill))).joint
    first = Streams({stream: x_ND[:4] for stream, x_ND in streams.items()})
    torch.testing.assert_close(together[:4], fusion(first, context_of((4,))).joint)


def test_under_autocast_it_stays_near_float32():
    fusion, streams, context = build(layers=16), streams_of(), context_of()
    exact = fusion(streams, context).joint
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = fusion(streams, context).joint
    torch.testing.assert_close(rounded.float(), exact, rtol=0.1, atol=0.1)


def test_mm_dfn_has_the_published_settings():
    iemocap, meld = (recipes.load(f"mm_dfn_{corpus}").recipe for corpus in ("iemocap", "meld"))
    found = [
        (
            r.fusion.config.layers,
            r.losses["task"].config.gamma,
            r.trainer.optimizer.lr,
            r.trainer.optimizer.weight_decay,
        )
        for r in (iemocap, meld)
    ]
    assert found == [(16, 0.5, 3e-4, 1e-4), (32, 1.0, 1e-3, 5e-4)]
    assert [r.losses["task"].config.class_weights for r in (iemocap, meld)] == ["inverse_frequency", "none"]
    for recipe in (iemocap, meld):
        assert (recipe.fusion.config.alpha, recipe.fusion.config.decay, recipe.fusion.config.dropout) == (0.2, 0.5, 0.4)
        assert (recipe.trainer.epochs, recipe.trainer.batch_dialogues) == (30, 32)
        assert recipe.losses["task"].config.detach_focus


@pytest.mark.slow
def test_mm_dfn_makes_use_of_the_conversation():
    experiment = assemble(recipes.load("mm_dfn_iemocap", ["trainer.epochs=5", "fusion.layers=2"], demo=True))
    state = new_state(experiment, 0, torch.device("cpu"))
    fit(state, experiment)
    facts = experiment.info.facts
    reached = best(state.epochs, "dev", "weighted_f1").test.accuracy
    assert facts["bayes_accuracy_no_context"] + 0.05 < reached < facts["bayes_accuracy"]
