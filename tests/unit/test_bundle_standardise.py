"""Standardisation: the training split decides, constant columns stay calm, what is unknown becomes the mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ercframe.data import standardise
from ercframe.data.standardise import Moments, Statistics, apply, fill, fit, in_pieces

NAN, INF = float("nan"), float("inf")


def _fit(values: np.ndarray, rows: np.ndarray | None = None) -> Statistics:
    return fit(in_pieces(values, np.arange(len(values)) if rows is None else rows), values.shape[1])[0]


def test_training_rows_get_mean_zero_and_deviation_one_whatever_the_unit() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 3)) * [1e-3, 1, 1e4] + [0.01, -2, 3e5]
    z = apply(values, np.ones(500, bool), _fit(values), None)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-3)


def test_only_training_rows_count() -> None:
    values = np.array([[1.0], [3.0], [1000.0]])
    statistics = _fit(values, rows=np.array([0, 1]))
    assert (statistics.mean, statistics.scale) == (2.0, 1.0)
    assert apply(values, np.ones(3, bool), statistics, clip=8.0)[2] == 8.0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_constant_column_is_centred_but_not_blown_up(dtype: str) -> None:
    values = np.array([[0.1, 3.0, 0], [0.1, 3.0, 6e-8], [0.1, 3.0, 1.2e-7]], dtype)
    statistics, constant = fit(in_pieces(values, np.arange(3)), 3)
    assert constant.tolist() == [0, 1, 2]
    assert np.abs(apply(values, np.ones(3, bool), statistics, None)).max() < 1e-4
    unseen = apply(np.array([[0.6, 3.5, 0.5]], dtype), np.ones(1, bool), statistics, None)
    np.testing.assert_allclose(unseen, 0.5, atol=1e-3)


def test_rounding_of_a_large_constant_is_no_deviation() -> None:
    values = np.full((7, 1), 1e8) + np.array([[0.1, -0.1, 0, 0.1, 0, -0.1, 0]]).T
    assert fit(in_pieces(values, np.arange(7)), 1)[1].tolist() == [0]


def test_an_unknown_value_becomes_the_mean_and_a_missing_row_zeros() -> None:
    values = np.array([[1, 10], [3, NAN], [NAN, NAN], [5, INF]])
    available = np.array([True, True, False, True])
    statistics = _fit(values)
    assert statistics.mean.tolist() == [3.0, 10.0]
    assert apply(values, available, statistics, 8.0)[1:].tolist() == [[0, 0], [0, 0], [pytest.approx(1.2247449), 0]]
    assert fill(values, available, statistics).tolist() == [[1, 10], [3, 10], [0, 0], [5, 10]]


def test_a_column_unknown_in_training_is_mean_zero() -> None:
    statistics = _fit(np.array([[NAN, 1.0], [NAN, 2.0]]))
    assert statistics.mean[0] == 0
    assert statistics.scale[0] == 1


def test_no_training_row_at_all() -> None:
    statistics = _fit(np.ones((2, 1)), rows=np.array([], int))
    assert (statistics.mean, statistics.scale) == (0.0, 1.0)


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_pieces_do_not_matter(piece: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(8, 2)).astype("float32")
    values[3, 1] = NAN
    whole = _fit(values)
    parts = fit(lambda: np.split(values, range(piece, 8, piece)), 2)[0]
    np.testing.assert_allclose(parts.mean, whole.mean, atol=1e-6)
    np.testing.assert_allclose(parts.scale, whole.scale, rtol=1e-6)


def test_large_arrays_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standardise, "PIECE", 3)
    pieces = list(in_pieces(np.arange(8.0)[:, None], np.array([0, 2, 4, 6, 7]))())
    assert [piece.ravel().tolist() for piece in pieces] == [[0, 2, 4], [6, 7]]


@given(st.integers(1, 9), st.floats(-1e4, 1e4), st.integers(0, 2**32 - 1))
def test_one_reading_gives_the_statistics_of_two_where_the_means_are_nearly_known(
    piece: int, offset: float, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(offset, 1, size=(8, 4)).astype("float32")
    values[:, 2], values[:, 3], values[3, 1], values[4, 1] = offset, NAN, NAN, np.inf
    parts = np.split(values, range(piece, 8, piece))
    whole, constant = fit(lambda: parts, 4)
    moments = Moments(np.where([True, True, True, False], whole.mean + 0.1, NAN))
    for part in parts:
        moments.add(part)
    found, found_constant = moments.statistics()
    np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.scale, whole.scale, rtol=1e-5)
    assert found_constant.tolist() == constant.tolist()
    assert {2, 3} <= set(constant.tolist())
