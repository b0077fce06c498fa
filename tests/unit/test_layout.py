"""Packed rows, their padded view, and attention masks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ercframe import Layout

sizes = st.lists(st.integers(1, 6), min_size=1, max_size=5)


class TestFromLengths:
    def test_where_each_row_lies(self):
        layout = Layout.from_lengths([2, 3])
        assert layout.sizes == (2, 3)
        assert layout.lengths.tolist() == [2, 3]
        assert layout.dialogue.tolist() == [0, 0, 1, 1, 1]
        assert layout.position.tolist() == [0, 1, 0, 1, 2]
        assert layout.mask.tolist() == [[True, True, False], [True, True, True]]
        assert layout.slot.tolist() == [0, 1, 3, 4, 5]
        assert (layout.dialogues, layout.longest, layout.utterances) == (2, 3, 5)

    @pytest.mark.parametrize("lengths", [[], [0], [3, 0], [-1]])
    def test_an_empty_dialogue_is_refused(self, lengths):
        with pytest.raises(
            ValueError, match=r"must have at least one dialogue, each of at least one utterance \(got \("
        ):
            Layout.from_lengths(lengths)


class TestPaddedView:
    @given(sizes)
    def test_there_and_back_is_the_identity(self, lengths):
        layout = Layout.from_lengths(lengths)
        x_ND = torch.randn(layout.utterances, 3)
        torch.testing.assert_close(layout.from_padded(layout.to_padded(x_ND)), x_ND, rtol=0, atol=0)

    @given(sizes)
    def test_rows_stand_where_the_mask_says_in_order(self, lengths):
        layout = Layout.from_lengths(lengths)
        x_N = torch.arange(layout.utterances)
        assert layout.to_padded(x_N)[layout.mask].tolist() == x_N.tolist()

    def test_gaps_hold_zeros(self):
        layout = Layout.from_lengths([1, 2])
        x_BL = layout.to_padded(torch.ones(3))
        assert x_BL.tolist() == [[1, 0], [1, 1]]

    def test_any_number_of_trailing_axes_and_any_dtype(self):
        layout = Layout.from_lengths([1, 2])
        assert layout.to_padded(torch.zeros(3, 4, 5, dtype=torch.float64)).shape == (2, 2, 4, 5)
        assert layout.to_padded(torch.zeros(3, 4, dtype=torch.float64)).dtype == torch.float64
        assert layout.to_padded(torch.ones(3, dtype=torch.bool)).tolist() == [[True, False], [True, True]]

    def test_gradients_reach_every_row_once_and_no_gap(self):
        layout = Layout.from_lengths([1, 3])
        x_ND = torch.randn(4, 2, requires_grad=True)
        layout.to_padded(x_ND).sum().backward()
        assert x_ND.grad.tolist() == torch.ones(4, 2).tolist()


class TestAttentionMask:
    @given(sizes, st.none() | st.integers(0, 3), st.none() | st.integers(0, 3))
    def test_a_real_query_sees_real_keys_of_its_window_only(self, lengths, past, future):
        layout = Layout.from_lengths(lengths)
        visible = layout.attention_mask(past, future)
        for b, length in enumerate(lengths):
            for query in range(length):
                low = 0 if past is None else max(query - past, 0)
                high = length - 1 if future is None else min(query + future, length - 1)
                assert visible[b, query].nonzero().flatten().tolist() == list(range(low, high + 1))

    @given(sizes)
    def test_a_query_in_a_gap_sees_itself_alone_so_that_softmax_is_finite(self, lengths):
        layout = Layout.from_lengths(lengths)
        visible = layout.attention_mask()
        for b, length in enumerate(lengths):
            for query in range(length, layout.longest):
                assert visible[b, query].nonzero().flatten().tolist() == [query]


def test_moving_keeps_sizes_and_fill_on_the_host():
    layout = Layout.from_lengths([2, 1])
    moved = layout.to("meta")
    assert moved.sizes == (2, 1)
    assert {moved.lengths.device.type, moved.dialogue.device.type, moved.mask.device.type} == {"meta"}
    assert {moved.position.device.type, moved.slot.device.type} == {"meta"}
    assert moved.attention_mask().device.type == "meta"
