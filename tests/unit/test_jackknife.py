"""Macro recall, and intervals that leave out one group after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from ercframe.statistics.confusion import macro_recall
from ercframe.statistics.groups import jackknife_interval


def accuracy(counts_RX):
    """Of counts of right answers and of all."""
    return counts_RX[..., :1] / counts_RX[..., 1:]


def test_macro_recall_is_the_mean_over_the_emotions_that_occur():
    confusion = np.array([[3, 1, 0], [0, 0, 0], [2, 1, 1]])
    assert macro_recall(confusion) == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert np.isnan(macro_recall(np.zeros((3, 3))))
    assert macro_recall(np.stack([confusion, 2 * confusion])).shape == (2,)


def test_of_equally_large_groups_it_is_the_t_interval_of_their_mean():
    right = np.array([30, 40, 50, 45, 20])
    shares = right / 100
    low, high = jackknife_interval(np.stack([right, np.full(5, 100)], axis=1), accuracy)[:, 0]
    reach = t.ppf(0.975, 4) * shares.std(ddof=1) / np.sqrt(5)
    assert (low, high) == pytest.approx((shares.mean() - reach, shares.mean() + reach))


def test_it_stays_between_0_and_1_and_needs_two_groups():
    low, high = jackknife_interval(np.array([[0, 10], [10, 10]]), accuracy)[:, 0]
    assert (low, high) == (0, 1)
    with pytest.raises(ValueError, match=r"at least two groups \(got 1\)"):
        jackknife_interval(np.array([[1, 2]]), accuracy)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(2, 5))
def test_groups_that_are_alike_leave_nothing_to_chance(row, groups):
    counts = np.tile([sum(row), 10 * sum(row)], (groups, 1))
    low, high = jackknife_interval(counts, accuracy)[:, 0]
    assert high - low == pytest.approx(0, abs=1e-9)


def test_what_cannot_be_said_without_a_group_is_nan():
    confusions = np.array([[[2, 0], [0, 1]], [[0, 0], [0, 0]]])
    assert np.isnan(jackknife_interval(confusions, lambda counts: macro_recall(counts)[..., None])).all()
