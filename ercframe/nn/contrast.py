"""What contrastive losses compare: how similar the rows of one emotion are, among all rows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ercframe.nn.precision import at_least_float32, without_autocast

# Shape letters: S rows, D features.


class Contrast(NamedTuple):
    """Every row beside every other.

    Attributes:
        log_share: logarithm of each pair's share of the similarity of the first with all other rows, ``(S, S)``,
            finite; what is on the diagonal means nothing.
        positive: which rows are of one emotion, ``(S, S)`` bool; nobody with itself.
        positives: how many a row has, ``(S,)``.
    """

    log_share: Tensor
    positive: Tensor
    positives: Tensor


def contrast(x_SD: Tensor, labels_S: Tensor, temperature: float) -> Contrast:
    r"""Compare every row with all others.

    With :math:`z_i` row :math:`i` scaled to length 1, the share of the pair :math:`(i, j)` is

    .. math:: s_{ij} = \frac{\exp(z_i \cdot z_j / \tau)}{\sum_{a \ne i} \exp(z_i \cdot z_a / \tau)}

    Computed in at least float32. Time and memory grow with the square of the number of rows.

    Args:
        x_SD: rows; one of zeros stays as it is.
        labels_S: emotion of each.
        temperature: :math:`\tau`.
    """
    z_SD = _unit(at_least_float32(x_SD))
    itself_SS = torch.eye(len(labels_S), dtype=torch.bool, device=labels_S.device)
    positive_SS = (labels_S[:, None] == labels_S) & ~itself_SS
    with without_autocast(z_SD.device):
        similar_SS = (z_SD @ z_SD.mT) / temperature
    # Finite, so that a lone utterance, compared with nothing, has no infinite logarithm to differentiate.
    others_SS = similar_SS.masked_fill(itself_SS, torch.finfo(similar_SS.dtype).min)
    return Contrast(others_SS.log_softmax(dim=-1), positive_SS, positive_SS.sum(dim=-1))


def _unit(x: Tensor) -> Tensor:
    """Rows scaled to length 1. A row of zeros stays as it is: its direction, and so its slope, is not defined."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.masked_fill(length == 0, 1)
