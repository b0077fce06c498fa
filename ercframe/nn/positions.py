"""Positions of utterances as vectors."""

import math

import torch
from torch import Tensor

# Shape letters: L positions, D features, H half of D, rounded up.


def sinusoidal_positions(length: int, width: int, like: Tensor) -> Tensor:
    r"""The fixed positional encoding of Vaswani et al. (2017), ``(L, D)``, on the device and in the dtype of ``like``.

    .. math:: P_{p, 2i} = \sin(p / 10000^{2i/D}), \qquad P_{p, 2i+1} = \cos(p / 10000^{2i/D})

    Computed for the length that is asked for, so no dialogue is too long. Angles are taken in at least float32, since
    half precision cannot tell the positions of a long dialogue apart.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    position_L = torch.arange(length, device=like.device, dtype=dtype)
    even_H = torch.arange(0, width, 2, device=like.device, dtype=dtype)
    angle_LH = torch.outer(position_L, torch.exp(even_H * (-math.log(10000.0) / width)))
    return torch.stack([angle_LH.sin(), angle_LH.cos()], dim=-1).flatten(1)[:, :width].to(like.dtype)
