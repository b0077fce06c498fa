"""Pooling over pieces is pooling over the whole."""

import numpy as np
import pytest

from ercframe_plugins.extractors.pool import Pool

WHOLE_FD = np.random.default_rng(0).normal(3, 2, (50, 4)).astype("float32")


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean", WHOLE_FD.mean(axis=0)),
        ("max", WHOLE_FD.max(axis=0)),
        ("mean_std", np.concatenate([WHOLE_FD.mean(axis=0), WHOLE_FD.std(axis=0)])),
    ],
)
@pytest.mark.parametrize("cuts", [[], [1], [10, 11, 49]])
def test_pieces_make_the_whole(pooling, expected, cuts):
    pool = Pool(pooling)
    for piece_FD in np.split(WHOLE_FD, cuts):
        pool.add(piece_FD)
    assert pool.row().dtype == np.float32
    np.testing.assert_allclose(pool.row(), expected, rtol=1e-5)


def test_a_small_deviation_around_a_large_mean_is_kept():
    pool = Pool("mean_std")
    for _ in range(100):
        pool.add(np.array([[1e6 - 0.125], [1e6 + 0.125]], "float32"))
    np.testing.assert_allclose(pool.row(), [1e6, 0.125])
