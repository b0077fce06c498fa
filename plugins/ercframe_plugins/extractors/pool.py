"""One row for a turn from the rows of its frames."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Shape letters: F frames, D features.

Pooling = Literal["mean", "mean_std", "max"]
POOLING_HELP = "Over the frames of a turn. mean_std: mean and standard deviation, side by side, twice as wide."


class Pool:
    r"""Mean, mean and standard deviation, or maximum over frames that come in any number of pieces.

    .. math:: \mu = \frac1F \sum_f x_f, \qquad \sigma = \sqrt{\frac1F \sum_f (x_f - \mu)^2}

    Sums are kept in float64, as those of each piece around its own mean (Chan et al. 1979), so that 40 minutes take no
    more memory than a second.
    """

    def __init__(self, pooling: Pooling) -> None:
        self.pooling, self.count = pooling, 0
        self._mean: NDArray[Any] = np.zeros(0)
        self._squares: NDArray[Any] = np.zeros(0)
        self._max: NDArray[Any] = np.zeros(0)

    def add(self, x_FD: NDArray[Any]) -> None:
        """Add the frames of a piece."""
        mean_D, max_D = x_FD.mean(axis=0, dtype=np.float64), x_FD.max(axis=0)
        squares_D = np.square(x_FD - mean_D).sum(axis=0)
        if not self.count:
            self.count, self._mean, self._squares, self._max = len(x_FD), mean_D, squares_D, max_D
            return
        total, step_D = self.count + len(x_FD), mean_D - self._mean
        self._squares += squares_D + np.square(step_D) * (self.count * len(x_FD) / total)
        self._mean += step_D * (len(x_FD) / total)
        self._max = np.maximum(self._max, max_D)
        self.count = total

    def row(self) -> NDArray[np.float32]:
        """The row of the turn, ``(D,)`` or ``(2 D,)`` float32."""
        if self.pooling == "max":
            return self._max.astype(np.float32)
        if self.pooling == "mean":
            return self._mean.astype(np.float32)
        return np.concatenate([self._mean, np.sqrt(self._squares / self.count)]).astype(np.float32)
