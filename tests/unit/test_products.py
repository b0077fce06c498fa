"""Which library multiplies float32 matrices on a CPU."""

import pytest
import torch
from torch import nn

from ercframe import recipes
from ercframe.build import assemble
from ercframe.preflight import preflight
from ercframe.training import products
from ercframe.training.precision import Precision
from ercframe.training.products import LARGE, MAY_ROUND, has_large_products, onednn_keeps_float32
from ercframe.training.state import new_state


def setting_within(precision: Precision) -> str:
    with precision.matmuls():
        return torch.get_float32_matmul_precision()


@pytest.mark.parametrize(
    ("model", "large"),
    [
        (nn.Linear(128, 128), True),
        (nn.Linear(128, 127), False),
        (nn.Sequential(nn.Linear(1024, 1024), nn.Linear(1024, 1024), nn.Linear(1024, 6)), True),
        (nn.Sequential(nn.Linear(1024, 6), nn.Linear(1024, 1024), nn.Linear(6, 6)), False),
        (nn.Sequential(nn.Linear(1024, 1024), nn.LSTM(8, 8)), False),
        (nn.Sequential(nn.Linear(1024, 1024), nn.GRUCell(8, 8)), False),
        (nn.LayerNorm(4096), False),
    ],
)
def test_products_are_large_where_most_matrices_are_and_nothing_recurs(model, large):
    assert has_large_products(model) is large
    assert Precision("fp32", "cpu").suited_to(model) == Precision("fp32", "cpu", large)


@pytest.fixture
def exact(monkeypatch):
    monkeypatch.setattr("ercframe.training.precision.onednn_keeps_float32", lambda: True)


@pytest.mark.parametrize(
    ("precision", "setting"),
    [
        (Precision("fp32", "cpu", large=True), MAY_ROUND),
        (Precision("fp32", "cpu", large=False), "highest"),
        (Precision("bf16", "cpu", large=True), "highest"),
        (Precision("fp32", "cuda", large=True), "highest"),
        (Precision("tf32", "cuda", large=True), "high"),
    ],
)
def test_onednn_takes_large_float32_products_on_a_cpu_only(exact, precision, setting):
    before = torch.get_float32_matmul_precision()
    assert setting_within(precision) == setting
    assert torch.get_float32_matmul_precision() == before


def test_a_cpu_whose_onednn_would_round_keeps_mkl(monkeypatch):
    monkeypatch.setattr(products, "_relative_error", lambda a, b: 2e-3)  # that of bf16
    onednn_keeps_float32.cache_clear()
    try:
        assert setting_within(Precision("fp32", "cpu", large=True)) == "highest"
    finally:
        onednn_keeps_float32.cache_clear()


def test_the_error_of_bf16_is_told_from_that_of_float32():
    generator = torch.Generator().manual_seed(1)
    x, w = (torch.randn(300, 300, generator=generator) for _ in range(2))
    rounded = float((x.bfloat16().double() @ w.bfloat16().double() - x.double() @ w.double()).norm())
    assert products._relative_error(x, w) < products._FLOAT32_ERROR / 10
    assert rounded / float((x.double() @ w.double()).norm()) > products._FLOAT32_ERROR * 10


def test_asking_about_onednn_leaves_no_trace():
    onednn_keeps_float32.cache_clear()
    torch.manual_seed(0)
    before = torch.get_float32_matmul_precision(), torch.get_rng_state()
    onednn_keeps_float32()
    assert torch.get_float32_matmul_precision() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("rows", [1, 31, 700])
def test_large_products_are_those_of_float32_and_repeat_bit_for_bit(rows):
    generator = torch.Generator().manual_seed(rows)
    x, w = torch.randn(rows, 512, generator=generator), torch.randn(512, 512, generator=generator)
    layer = nn.Linear(512, 512)
    assert w.numel() >= LARGE

    def gradients() -> list[torch.Tensor]:
        x_in = x.clone().requires_grad_()
        with torch.no_grad():
            layer.weight.copy_(w)
        layer.zero_grad()
        layer(x_in).square().sum().backward()
        return [x_in.grad, layer.weight.grad, layer.bias.grad]

    plain = gradients()
    with Precision("fp32", "cpu").suited_to(layer).matmuls():
        first, second = gradients(), gradients()
    for a, b, c in zip(plain, first, second, strict=True):
        assert torch.equal(b, c)
        assert float((a - b).norm() / a.norm()) < 2e-6


@pytest.mark.parametrize(("width", "large"), [(120, False), (128, True)])
def test_the_width_of_the_reference_recipe_decides(width, large):
    experiment = assemble(recipes.load("sdt_iemocap", [f"encoder.width={width}"], demo=True))
    assert new_state(experiment, 0, torch.device("cpu")).precision.large is large
    assert preflight(experiment).precision.large is large
