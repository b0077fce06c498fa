"""Several layers of one shape as one, each for rows of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

# Shape letters: G layers, N rows of each, I features before, O features after.


def prefers_groups(device: torch.device) -> bool:
    """Whether one operation on all rows of several layers is better than one on the rows of each.

    A GPU is handed operations faster the fewer they are; at the sizes of utterance-level models that is what it waits
    for. A CPU is better off with small ones, whose rows stay in its cache.
    """
    return device.type != "cpu"


def grouped_linear(x_GNI: Tensor, layers: Sequence[nn.Linear]) -> Tensor:
    """Send each group of rows through the linear layer of its own in one batched product, ``(G, N, O)``.

    Args:
        x_GNI: a group of rows for each layer.
        layers: of one shape, with a bias all or none.
    """
    weight_GIO = stack(layer.weight for layer in layers).transpose(1, 2)
    if layers[0].bias is None:
        return torch.bmm(x_GNI, weight_GIO)
    return torch.baddbmm(stack(layer.bias for layer in layers).unsqueeze(1), x_GNI, weight_GIO)


def grouped_layer_norm(x_GNI: Tensor, layers: Sequence[nn.LayerNorm]) -> Tensor:
    """Normalise each row over its features and apply the gain and bias of its group's layer, ``(G, N, I)``.

    Args:
        x_GNI: a group of rows for each layer.
        layers: of one shape and ``eps``, each with gain and bias.
    """
    normal_GNI = nn.functional.layer_norm(x_GNI, x_GNI.shape[-1:], eps=layers[0].eps)
    gain_G1I, bias_G1I = (stack(getattr(layer, name) for layer in layers).unsqueeze(1) for name in ("weight", "bias"))
    return torch.addcmul(bias_G1I, normal_GNI, gain_G1I)


def stack(tensors: Iterable[Tensor]) -> Tensor:
    """One tensor of several of a shape; gradients find their way back to each."""
    return torch.stack(list(tensors))
