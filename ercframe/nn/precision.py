"""The precision below which some arithmetic must not fall."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` in float32 where it is in half precision, otherwise ``x`` itself.

    Under autocast a linear map returns half precision, in which a softmax loses small probabilities and a sum over
    utterances stops growing. float64 stays float64.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """A block in which operations keep the precision of their inputs, on any device.

    Needed beside :func:`at_least_float32` where a matrix product follows, which autocast would run in half precision.
    """
    available = torch.amp.is_autocast_available(device.type)  # not on "meta", say, and there the switch itself fails
    return torch.autocast(device.type, enabled=False) if available else nullcontext()
