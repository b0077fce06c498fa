r"""McNemar's exact test, and one p-value for several seeds. It takes turns to be independent, which they are not.

McNemar (1947), *Note on the sampling error of the difference between correlated proportions*, Psychometrika 12. Of many
p-values whatever their dependence: Rüschendorf (1982); Meinshausen, Meier and Bühlmann (2009), *P-values for
high-dimensional regression*, JASA 104, for quantiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shape letters: S seeds, N turns.

IGNORES_DIALOGUES = (
    "McNemar's test compares accuracies and takes the turns of a dialogue to be independent. They are not, so it finds "
    "differences that are none more often than it says; --test bootstrap and --test randomisation draw whole dialogues."
)
"""To be shown wherever a p-value of this test is."""


def mcnemar(only_first: int, only_second: int) -> float:
    r"""Exact two-sided p-value, of the turns that only one of two models has right.

    .. math:: p = \min\Bigl(1,\; 2 \sum_{k=0}^{\min(b, c)} \tbinom{b + c}{k} 2^{-(b + c)}\Bigr)

    Args:
        only_first: :math:`b`, turns that the first model has right and the second wrong.
        only_second: :math:`c`, the other way round.
    """
    from scipy.stats import binomtest

    both = only_first + only_second
    return float(binomtest(only_first, both).pvalue) if both else 1.0


def mcnemar_over_seeds(first_SN: NDArray[np.bool_], second_SN: NDArray[np.bool_]) -> float:
    r"""One p-value for several seeds: :math:`\min(1, 2 \operatorname{median}_s p_s)`, and :math:`p_1` for one seed.

    Twice the median is a valid p-value whatever the seeds share. Adding the seeds' turns up would be none: they are
    the same turns.

    Args:
        first_SN: whether the first run is right, of each seed and turn.
        second_SN: of the second, with the same seeds and turns.
    """
    only_first, only_second = ((x & ~y).sum(axis=1) for x, y in ((first_SN, second_SN), (second_SN, first_SN)))
    found: list[Any] = [mcnemar(int(b), int(c)) for b, c in zip(only_first, only_second, strict=True)]
    return found[0] if len(found) == 1 else min(1.0, 2 * float(np.median(found)))
