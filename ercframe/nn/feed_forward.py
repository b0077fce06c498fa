"""The position-wise half of a transformer layer."""

from collections.abc import Sequence

from torch import Tensor, nn

from ercframe.nn.dropout import Dropout
from ercframe.nn.grouped import grouped_layer_norm, grouped_linear

# Shape letters: N utterances, D features, F features in between, G layers.


class FeedForward(nn.Module):
    r"""A residual two-layer network behind a normalisation.

    .. math:: y = x + W_2 \operatorname{GELU}(W_1 \operatorname{LayerNorm}(x) + b_1) + b_2

    with the tanh form of GELU, and dropout after GELU and after :math:`W_2`.

    Args:
        width: features of input and result.
        hidden: features in between.
        dropout: share of features dropped in training, at both places.
        eps: added to the variance by the normalisation.
    """

    def __init__(self, width: int, hidden: int, dropout: float = 0.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=eps)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.activate, self.dropout = nn.GELU(approximate="tanh"), Dropout(dropout)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Each row by itself, ``(N, D)``."""
        wide_NF = self.dropout(self.activate(self.widen(self.norm(x_ND))))
        change_ND: Tensor = self.dropout(self.narrow(wide_NF))
        return x_ND + change_ND


def grouped_feed_forward(layers: Sequence[FeedForward], x_GND: Tensor) -> Tensor:
    """Several feed-forward networks, each for rows of its own, ``(G, N, D)``.

    The same numbers as from one after the other, but for rounding and for which features dropout picks.

    Args:
        layers: of one width and dropout.
        x_GND: a group of rows for each layer.
    """
    first = layers[0]
    normal_GND = grouped_layer_norm(x_GND, [layer.norm for layer in layers])
    wide_GNF = first.dropout(first.activate(grouped_linear(normal_GND, [layer.widen for layer in layers])))
    change_GND: Tensor = first.dropout(grouped_linear(wide_GNF, [layer.narrow for layer in layers]))
    return x_GND + change_GND
