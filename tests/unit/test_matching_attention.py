"""Attention of every utterance over its dialogue."""

from dataclasses import replace

import pytest
import torch

from ercframe import Layout
from ercframe.nn import MatchingAttention

LAYOUT = Layout.from_lengths([4, 1, 2])


@pytest.fixture(params=[True, False], ids=["squash", "free"])
def attention(request):
    return MatchingAttention(3, squash=request.param)


def test_weights_of_an_utterance_are_a_distribution_over_its_dialogue(attention):
    weights_BLL = attention.weights(LAYOUT.to_padded(torch.randn(7, 3)), LAYOUT)
    of_the_pair_LL = weights_BLL[2]
    assert (of_the_pair_LL[:2, 2:] == 0).all()
    torch.testing.assert_close(of_the_pair_LL[:2].sum(-1), torch.ones(2))


def test_one_utterance_stays_as_it_is(attention):
    x_ND = torch.randn(7, 3)
    torch.testing.assert_close(attention(x_ND, LAYOUT)[4], x_ND[4])


def test_gaps_are_not_read(attention):
    x_ND = torch.randn(7, 3)
    filled = replace(LAYOUT, fill=7.0)
    torch.testing.assert_close(attention(x_ND, filled), attention(x_ND, LAYOUT), rtol=0, atol=0)


def test_with_the_tanh_attention_stays_flat_however_large_the_scores():
    x_BLD = LAYOUT.to_padded(100 * torch.randn(7, 3))
    flat_LL = MatchingAttention(3, squash=True).weights(x_BLD, LAYOUT)[0]
    assert (flat_LL.amax(-1) / flat_LL.amin(-1)).max() <= torch.e**2 + 1e-4
    sharp_LL = MatchingAttention(3, squash=False).weights(x_BLD, LAYOUT)[0]
    assert (sharp_LL.amax(-1) / sharp_LL.amin(-1)).max() > 100
