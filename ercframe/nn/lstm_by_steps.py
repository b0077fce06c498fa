"""An LSTM over a dialogue of which nobody knows the length yet, as while a program is exported."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Shape letters: L turns of the dialogue, D features, H features of a state, G features of the four gates.


def lstm_by_steps(lstm: nn.LSTM, x_LD: Tensor) -> Tensor:
    r"""What ``lstm(x)[0]`` gives for one dialogue, in operations that are exported for any length, ``(L, H)``.

    PyTorch unrolls its own LSTM when it exports one, so that the program fits one length. Here each direction of each
    layer is a loop that the program keeps:

    .. math::
        i, f, g, o &= W x_t + U h_{t-1} + b \\
        c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    Without dropout between layers, so for evaluation only; otherwise, take ``lstm`` itself, which is faster.

    Args:
        lstm: without projections.
        x_LD: the turns in their order.
    """
    directions = ("", "_reverse") if lstm.bidirectional else ("",)
    for layer in range(lstm.num_layers):
        found = [_one_way(lstm, x_LD, f"_l{layer}{direction}", bool(direction)) for direction in directions]
        x_LD = torch.cat(found, dim=-1)
    return x_LD


def _one_way(lstm: nn.LSTM, x_LD: Tensor, suffix: str, backward: bool) -> Tensor:
    """One direction of one layer, ``(L, H)``."""
    from torch._higher_order_ops.scan import scan  # not public yet, and of no use but here

    weight = {name: getattr(lstm, f"{name}{suffix}") for name in ("weight_ih", "weight_hh")}
    bias = sum(getattr(lstm, f"{name}{suffix}") for name in ("bias_ih", "bias_hh")) if lstm.bias else None
    known_LG = nn.functional.linear(x_LD, weight["weight_ih"], bias)

    def step(before: tuple[Tensor, Tensor], known_1G: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        h, c = before
        i, f, g, o = (known_1G + nn.functional.linear(h, weight["weight_hh"])).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return (h, c), h.clone()  # a loop may not hand out the same tensor twice

    start = (x_LD.new_zeros(1, lstm.hidden_size), x_LD.new_zeros(1, lstm.hidden_size))
    _, h_L1H = scan(step, start, known_LG.unsqueeze(1), reverse=backward)
    h_LH: Tensor = h_L1H.squeeze(1)
    return h_LH
