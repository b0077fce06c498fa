"""Rows sorted by time step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ercframe import Layout
from ercframe.nn import StepOrder

sizes = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def test_within_a_step_long_dialogues_come_first():
    layout = Layout.from_lengths([2, 3, 1])
    order = StepOrder.of(layout)
    assert order.counts == (3, 2, 1)
    assert order.sort(torch.tensor([10, 11, 20, 21, 22, 30])).tolist() == [20, 10, 30, 21, 11, 22]


def test_backward_each_dialogue_starts_at_its_own_end():
    order = StepOrder.of(Layout.from_lengths([2, 3, 1]), backward=True)
    assert order.sort(torch.tensor([10, 11, 20, 21, 22, 30])).tolist() == [22, 11, 30, 21, 10, 20]


@given(sizes, st.booleans())
def test_there_and_back_is_the_identity(lengths, backward):
    layout = Layout.from_lengths(lengths)
    order = StepOrder.of(layout, backward=backward)
    x_ND = torch.randn(layout.utterances, 3)
    torch.testing.assert_close(order.unsort(order.sort(x_ND)), x_ND, rtol=0, atol=0)


@given(sizes)
def test_a_packed_network_reads_each_dialogue_by_itself(lengths):
    layout, network = Layout.from_lengths(lengths), nn.LSTM(3, 2, bidirectional=True)
    x_ND = torch.randn(layout.utterances, 3)
    order = StepOrder.of(layout)
    together_NH = order.unpack(network(order.pack(x_ND))[0])
    alone_NH = torch.cat([network(x)[0] for x in x_ND.split(layout.sizes)])
    torch.testing.assert_close(together_NH, alone_NH)


@pytest.mark.parametrize("backward", [False, True])
def test_it_is_made_where_the_layout_is(backward):
    order = StepOrder.of(Layout.from_lengths([2, 3]).to("meta"), backward=backward)
    assert order.place.device.type == "meta"
    assert order.counts == (2, 2, 1)
