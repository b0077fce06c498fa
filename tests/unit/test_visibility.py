"""Attention in blocks equals attention under a mask, and its cost does not grow with the square of a dialogue."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ercframe import Layout
from ercframe.nn import Dropout, Visibility
from ercframe.nn.visibility import _Blocks, _WholeDialogues

HEADS, FEATURES = 2, 3
WINDOWS = [(0, 0), (3, 0), (0, 4), (5, 2), (40, 31), (70, 0)]
LENGTHS = [[200], [1, 130, 2, 90], [33, 32, 31, 150], [97, 96, 1, 1]]


def inputs(rows):
    torch.manual_seed(0)
    return [torch.randn(rows, HEADS, FEATURES, dtype=torch.float64, requires_grad=True) for _ in range(3)]


def attend(visible, rows, weight):
    tensors = inputs(rows)
    y_NHK = visible.attend(*tensors)
    return [y_NHK, *torch.autograd.grad((y_NHK * weight).sum(), tensors)]


@pytest.mark.parametrize(("past", "future"), WINDOWS)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_blocks_give_the_masked_result_and_gradients(lengths, past, future):
    layout = Layout.from_lengths(lengths)
    weight = torch.randn(layout.utterances, HEADS, FEATURES, dtype=torch.float64)
    expected = attend(_WholeDialogues(layout, past, future), layout.utterances, weight)
    got = attend(_Blocks(layout, past, future), layout.utterances, weight)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("length", "past", "future", "blocks"),
    [(200, 3, 0, True), (200, None, 0, False), (200, 3, None, False), (200, None, None, False), (30, 3, 0, False)],
)
def test_blocks_are_taken_where_a_window_ends_on_both_sides_and_is_narrow(length, past, future, blocks):
    assert isinstance(Visibility.within(Layout.from_lengths([length, 2]), past, future), _Blocks) is blocks


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("fill", [0.0, 1e3])
def test_all_that_came_before_needs_no_mask(lengths, fill):
    layout = replace(Layout.from_lengths(lengths), fill=fill)
    weight = torch.randn(layout.utterances, HEADS, FEATURES, dtype=torch.float64)
    expected = attend(_WholeDialogues(layout, layout.longest, 0), layout.utterances, weight)
    visible = Visibility.within(layout, None, 0)
    got = attend(visible, layout.utterances, weight)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    assert visible._visible_B1LL is None


def flops(length, past):
    layout = Layout.from_lengths([length])
    with FlopCounterMode(display=False) as counter:
        visible = Visibility.within(layout, past, 0)
        visible.attend(
            *(torch.randn(length, HEADS, FEATURES, requires_grad=True) for _ in range(3)), 0.5
        ).sum().backward()
    return counter.get_total_flops()


def test_with_a_window_the_arithmetic_grows_with_the_length_and_without_it_with_its_square():
    assert flops(1600, past=8) == 2 * flops(800, past=8)
    assert flops(1600, past=None) == 4 * flops(800, past=None)


@pytest.mark.parametrize("past", [None, 4])
def test_dropped_weights_leave_the_expectation_and_nothing_invisible_comes_in(past):
    layout = Layout.from_lengths([60, 3])
    visible = Visibility.within(layout, past, 0)
    query_NHK, key_NHK, _ = inputs(layout.utterances)
    own_NHK = torch.ones_like(query_NHK)
    mean = torch.stack([visible.attend(query_NHK, key_NHK, own_NHK, 0.5) for _ in range(300)]).mean(0)
    assert abs(mean.mean() - 1) < 0.05
    elsewhere_NHK = own_NHK.detach().clone()
    elsewhere_NHK[:60] = 0
    assert not visible.attend(query_NHK, key_NHK, elsewhere_NHK, 0.5)[:60].any()


def test_under_autocast_dropout_does_not_leave_half_precision():
    # PyTorch's own attention with dropout computes in float32 on a CPU, which takes five times as long.
    layout = Layout.from_lengths([4, 2])
    query, key, value = (x.bfloat16() for x in inputs(6))
    with torch.autocast("cpu", torch.bfloat16):
        assert Visibility.within(layout).attend(query, key, value, 0.5).dtype == torch.bfloat16
    assert Dropout(0.5)(query).dtype == torch.bfloat16
