"""Dropout whose masks cost little on a CPU, too."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """Set a share of the entries to zero in training and scale up the others, in masks drawn by :func:`dropout`.

    Args:
        p: probability of an entry to be dropped.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with some entries dropped, in its shape and dtype; ``x`` itself in eval mode."""
        return dropout(x, self.p) if self.training else x


def dropout(x: Tensor, p: float) -> Tensor:
    r"""Drop each entry of ``x`` with probability ``p`` and divide the others by :math:`1 - p`.

    PyTorch draws a CPU's masks one entry after the other from a Bernoulli distribution, which can take longer than the
    matrix products around it. Here 8 or 16 random bits decide about an entry: 8 where ``256 p`` is a whole number, as
    at 0.5, else 16, and ``p`` is rounded to the nearest of :math:`1/65536`. The division is by what the rounded one
    leaves, so the expectation stays exact. The bits come from PyTorch's default generator, so ``torch.manual_seed`` and
    saved random states hold. On other devices this is PyTorch's own dropout.
    """
    if x.device.type != "cpu":
        return nn.functional.dropout(x, p)
    bits = 8 if (256 * p).is_integer() else 16
    dropped, states = round(p * 2**bits), 2**bits
    if dropped in (0, states):
        return x if dropped == 0 else x * 0
    keep = _random_integers(x.shape, bits)
    # From here on 1 where the draw is among the highest, 0 elsewhere: much faster than a comparison, whose booleans
    # have to be turned into numbers.
    highest_dropped = dropped - 1 - states // 2
    keep.clamp_(highest_dropped, highest_dropped + 1).sub_(highest_dropped)
    return x * keep.to(x.dtype).mul_(states / (states - dropped))


def _random_integers(shape: torch.Size, bits: int) -> Tensor:
    """Uniform signed integers of 8 or 16 bits, cut out of 64-bit words, of which a draw takes no longer."""
    count = math.prod(shape)
    words = torch.empty(-(-count * bits // 64), dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int8 if bits == 8 else torch.int16)[:count].view(shape)
