"""Representations on a plane, by principal components or t-SNE."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.extras import require

# Shape letters: N utterances, D features.

WAYS = ("pca", "tsne")
FITTED = 2_000
"""Utterances to which the principal components are fitted, evenly spaced."""
SHOWN = 600
"""Utterances that are shown, evenly spaced; to them t-SNE is fitted."""


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """At most so many row numbers of ``count``, evenly spaced."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.intp)


def principal_components(
    x_ND: NDArray[Any], shown: NDArray[np.intp]
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Rows on the plane of the two largest principal components, and the shares of variance on its axes.

    Each axis points to where its largest weight is positive, so that the same data give the same picture.

    Args:
        x_ND: representations, at least one.
        shown: numbers of the rows to return.
    """
    x_ND = np.asarray(x_ND, dtype=np.float64)
    fitted_ND = x_ND[evenly(len(x_ND), FITTED)]
    mean_D = fitted_ND.mean(axis=0)
    covariance_DD = np.cov(fitted_ND - mean_D, rowvar=False, bias=True).reshape(x_ND.shape[1], -1)
    values_D, axes_DD = np.linalg.eigh(covariance_DD)
    axes_D2 = axes_DD[:, ::-1][:, :2]
    if axes_D2.shape[1] < 2:  # one feature: the second axis is empty
        axes_D2, values_D = np.pad(axes_D2, ((0, 0), (0, 1))), np.concatenate([[0.0], values_D])
    largest = np.abs(axes_D2).argmax(axis=0)
    signs = np.where(axes_D2[largest, [0, 1]] < 0, -1.0, 1.0)
    total = values_D.sum()
    shares = (values_D[-1] / total, values_D[-2] / total) if total > 0 else (0.0, 0.0)
    return (x_ND[shown] - mean_D) @ (axes_D2 * signs), shares


def tsne(x_ND: NDArray[Any]) -> NDArray[np.float64]:
    """Rows on a plane on which near ones stay near; distances between groups mean nothing.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    manifold = require("sklearn.manifold", "report", "--maps tsne")
    count, width = x_ND.shape
    start = "pca" if width > 1 else "random"
    near = min(30.0, max(1.0, (count - 1) / 3))
    found: NDArray[np.float64] = manifold.TSNE(2, perplexity=near, init=start, random_state=0).fit_transform(x_ND)
    return found.astype(np.float64)
