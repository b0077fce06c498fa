"""Which of PyTorch's two libraries multiplies float32 matrices on a CPU."""

from __future__ import annotations

from functools import cache
from statistics import median

import torch
from torch import Tensor, nn

LARGE = 128 * 128
"""Entries of a weight matrix from which on its products gain from oneDNN; below, a call's own time counts for more."""

MAY_ROUND = "medium"
"""PyTorch's setting that hands float32 products on a CPU to oneDNN. It allows rounding to bf16, but orders none."""

_FLOAT32_ERROR = 1e-5
"""A relative error between that of float32 products, some 4e-7, and that of bf16 ones, some 3e-3."""


def has_large_products(model: nn.Module) -> bool:
    """Whether most of a model's arithmetic is products of large matrices.

    A recurrent layer multiplies a few rows at a time, once for every step, however large its matrices are.
    """
    if any(isinstance(module, nn.RNNBase | nn.RNNCellBase) for module in model.modules()):
        return False
    sizes = [parameter.numel() for parameter in model.parameters() if parameter.dim() == 2]
    return bool(sizes) and median(sizes) >= LARGE


@cache
def onednn_keeps_float32() -> bool:
    """Whether products under :data:`MAY_ROUND` are as exact on this CPU as float32 is, in each form that training has.

    PyTorch otherwise asks MKL, which on a CPU that is not Intel's uses half of the vector units' width and so takes
    twice the time. Where oneDNN rounds, as it may on a CPU with AMX, MKL is the faster one anyway. No time is taken,
    so that a machine always decides alike and its results repeat bit for bit.
    """
    generator = torch.Generator().manual_seed(0)
    x, w = (torch.randn(256, 256, generator=generator) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(MAY_ROUND)
    try:
        return all(_relative_error(a, b) < _FLOAT32_ERROR for a, b in ((x, w), (x, w.T), (x.T, w)))
    finally:
        torch.set_float32_matmul_precision(before)


def _relative_error(a: Tensor, b: Tensor) -> float:
    exact = a.double() @ b.double()
    return float((a @ b - exact).norm() / exact.norm())
