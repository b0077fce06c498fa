"""The precision below which some arithmetic must not fall."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` in float32 where it is in half precision, otherwise ``x`` itself.

    Under autocast a linear map returns half precision, in which a softmax loses small probabilities and a sum over
    utterances stops growing. float64 stays float64.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
