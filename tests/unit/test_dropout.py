"""Dropout by random bits: the right share, the right expectation, and repeatable."""

import pytest
import torch

from ercframe.nn import Dropout, dropout

MANY = 400_000


@pytest.mark.parametrize("p", [0.5, 0.25, 0.1, 0.9, 1 / 3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_it_drops_the_share_that_is_asked_for_and_scales_up_what_stays(p, dtype):
    y = dropout(torch.ones(MANY, dtype=dtype), p)
    kept = y != 0
    spread = (p * (1 - p) / MANY) ** 0.5
    assert y.dtype == dtype
    assert abs((~kept).double().mean() - p) < 4 * spread + 2**-17
    assert y[kept].unique().tolist() == pytest.approx([1 / (1 - p)], rel=1e-4 if dtype != torch.bfloat16 else 4e-3)


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_entries_are_dropped_independently_of_their_neighbours(p):
    kept = (dropout(torch.ones(MANY), p) != 0).double()
    for distance in (1, 2, 3, 4, 7, 8, 64):
        together = torch.corrcoef(torch.stack([kept[:-distance], kept[distance:]]))[0, 1]
        assert abs(together) < 5 / MANY**0.5


def test_every_place_of_a_word_is_dropped_as_often():
    kept_by_place = (dropout(torch.ones(MANY // 8, 8), 0.5) != 0).double().mean(0)
    assert (kept_by_place - 0.5).abs().max() < 5 * 0.5 / (MANY // 8) ** 0.5


def test_gradients_pass_through_what_stays():
    x = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    y = dropout(x, 0.5)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(y == 0, 0.0, 2.0).double())


def test_it_follows_the_generator_that_runs_save_and_restore():
    x = torch.ones(1000)
    torch.manual_seed(3)
    first, state = dropout(x, 0.3), torch.get_rng_state()
    second = dropout(x, 0.3)
    torch.set_rng_state(state)
    assert torch.equal(dropout(x, 0.3), second)
    assert not torch.equal(first, second)


def test_extremes():
    x = torch.randn(3, 0, 5)
    assert dropout(x, 0.5).shape == x.shape
    x = torch.randn(9)
    assert torch.equal(dropout(x, 0.0), x)
    assert not dropout(x, 1.0).any()


def test_the_module_drops_in_training_only():
    module, x = Dropout(0.5), torch.ones(100)
    assert isinstance(module, torch.nn.Dropout)
    assert 0 < (module(x) == 0).sum() < 100
    assert torch.equal(module.eval()(x), x)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Dropout(1.5)
