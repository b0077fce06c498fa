r"""Holm's correction: many tests, one chance of a false alarm.

Holm (1979), *A simple sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6(2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float]) -> list[float]:
    r"""Adjusted p-values, in the order given: reject what is at most α, and any false rejection has probability ≤ α.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min\bigl(1, (m - j + 1)\, p_{(j)}\bigr)

    over the sorted :math:`p_{(1)} \le … \le p_{(m)}`, whatever their dependence.
    """
    given = np.asarray(p, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(x) for x in adjusted]
