"""Several layers as one: the same numbers, in fewer operations. A GPU gets them so; here they are asked for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ercframe import Layout, Stream, Streams, StreamSpec
from ercframe.nn import Visibility, grouped_layer_norm, grouped_linear, prefers_groups
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.encoders import pair_transformers
from ercframe_plugins.encoders.intra_inter_transformer import IntraInterTransformer
from ercframe_plugins.fusion import cross_attention, hierarchical_gated
from ercframe_plugins.fusion.cross_attention import CrossAttentionFusion
from ercframe_plugins.fusion.hierarchical_gated import HierarchicalGatedFusion

# Shape letters: G layers, N rows, I features before.

DATASET = example_dataset()
BATCH = example_batch(DATASET)


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Let components believe that they are on a GPU, or not."""

    def choose(grouped: bool) -> None:
        for module in (pair_transformers, hierarchical_gated, cross_attention):
            monkeypatch.setattr(module, "prefers_groups", lambda device: grouped)

    return choose


def results(module: nn.Module, tensors: list[Tensor]) -> list[Tensor]:
    """Tensors and the gradients of the module's parameters for one sum of them."""
    module.zero_grad()
    weighted = [(x * torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view_as(x)).sum() for x in tensors]
    sum(weighted).backward()
    return [*(x.detach() for x in tensors), *(p.grad for p in module.parameters() if p.grad is not None)]


def assert_alike(one: list[Tensor], other: list[Tensor]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def moved(module: nn.Module) -> nn.Module:
    """In float64, with parameters that are all different: fresh norms are all ones."""
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


@pytest.mark.parametrize(("device", "grouped"), [("cpu", False), ("cuda", True)])
def test_a_gpu_is_handed_groups(device, grouped):
    assert prefers_groups(torch.device(device)) is grouped


@pytest.mark.parametrize("bias", [True, False])
def test_grouped_linear_layers_are_the_layers(bias):
    layers = nn.ModuleList(nn.Linear(5, 3, bias=bias) for _ in range(4)).double()
    x_GNI = torch.randn(4, 7, 5, dtype=torch.float64)
    alone = results(layers, [layer(x) for layer, x in zip(layers, x_GNI, strict=True)])
    assert_alike(alone, results(layers, list(grouped_linear(x_GNI, list(layers)))))


def test_grouped_norms_are_the_norms():
    layers = moved(nn.ModuleList(nn.LayerNorm(5, eps=1e-3) for _ in range(4)))
    x_GNI = torch.randn(4, 7, 5, dtype=torch.float64)
    alone = results(layers, [layer(x) for layer, x in zip(layers, x_GNI, strict=True)])
    assert_alike(alone, results(layers, list(grouped_layer_norm(x_GNI, list(layers)))))


@pytest.mark.parametrize("window", [None, {"past": 1, "future": 0}])
@pytest.mark.parametrize("streams", ["all", "intra", "inter"])
def test_the_encoder_is_the_same_in_groups(on_gpu, streams, window):
    config = IntraInterTransformer.Config(width=8, heads=2, dropout=0.0, streams=streams, window=window)
    encoder = moved(IntraInterTransformer(config, DATASET))
    features = {m: x.double() for m, x in BATCH.features.items()}
    found = []
    for grouped in (False, True):
        on_gpu(grouped)
        out = encoder(features, BATCH.context)
        assert list(out) == list(encoder.spec.widths)
        found.append(results(encoder, list(out.values())))
    assert_alike(*found)


def test_in_groups_dropout_still_gives_target_and_own_source_one_mask_and_others_their_own(on_gpu, monkeypatch):
    on_gpu(True)
    streams = [Stream(t, s) for t in "ab" for s in (t, *({"a", "b"} - {t}))]
    pairs = pair_transformers.PairTransformers(streams, 64, 1, 0.5).train()
    seen = {}

    def look(attention, target_GND, source_GND, visible):
        seen["target"], seen["source"] = target_GND, source_GND
        return torch.zeros_like(target_GND)

    monkeypatch.setattr(pair_transformers, "grouped_attention", look)
    pairs({"a": torch.ones(6, 64), "b": torch.ones(6, 64)}, Visibility.within(Layout.from_lengths([6])))
    target, source = seen["target"], seen["source"]
    for i, (t, s) in enumerate(streams):
        assert torch.equal(target[i], source[i]) is (t == s)
    every = [*target, *(source[i] for i, (t, s) in enumerate(streams) if t != s)]
    assert all(not torch.equal(a, b) for i, a in enumerate(every) for b in every[:i])
    assert all(set(x.unique().tolist()) == {0.0, 2.0} for x in every)


@pytest.mark.parametrize("gate", ["learned", "silu", "none"])
@pytest.mark.parametrize("streams", ["all", "intra", "one_from_each"])
def test_the_fusion_is_the_same_in_groups(on_gpu, gate, streams):
    names = list(DATASET.modalities)
    pairs = {"all": [(t, s) for t in names for s in names], "intra": [(m, m) for m in names]}
    some = [Stream(*pair) for pair in pairs.get(streams, [*zip(names, names, strict=True), (names[0], names[1])])]
    spec = StreamSpec(dict.fromkeys(some, 6))
    fusion = moved(HierarchicalGatedFusion(HierarchicalGatedFusion.Config(unimodal_gate=gate), DATASET, spec))
    tensors = Streams({stream: torch.randn(len(BATCH.labels), 6, dtype=torch.float64) for stream in some})
    found = []
    for grouped in (False, True):
        on_gpu(grouped)
        out = fusion(tensors, BATCH.context)
        found.append(results(fusion, [out.joint, *out.by_modality.values(), out.weights["modality"]]))
    assert_alike(*found)


@pytest.mark.parametrize("window", [None, {"past": 1, "future": 0}])
@pytest.mark.parametrize("modalities", [1, 2, 3])
def test_cross_attention_is_the_same_in_groups(on_gpu, modalities, window):
    names = list(DATASET.modalities)[:modalities]
    spec = StreamSpec({Stream(m, m): 6 for m in names})
    config = CrossAttentionFusion.Config(layers=2, heads=2, hidden=5, window=window)
    fusion = moved(CrossAttentionFusion(config, DATASET, spec))
    tensors = Streams({stream: torch.randn(len(BATCH.labels), 6, dtype=torch.float64) for stream in spec.widths})
    found = []
    for grouped in (False, True):
        on_gpu(grouped)
        out = fusion(tensors, BATCH.context)
        assert list(out.by_modality) == names
        found.append(results(fusion, [out.joint, *out.by_modality.values()]))
    assert_alike(*found)


class Operations(TorchDispatchMode):
    """Counts what is computed."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def test_groups_take_a_fraction_of_the_operations(on_gpu):
    encoder = IntraInterTransformer(IntraInterTransformer.Config(width=8, heads=2), DATASET).train()
    counts = {}
    for grouped in (False, True):
        on_gpu(grouped)
        with Operations() as operations:
            sum(x.sum() for x in encoder(BATCH.features, BATCH.context).values()).backward()
        counts[grouped] = operations.count
    assert counts[True] < counts[False] / 2
