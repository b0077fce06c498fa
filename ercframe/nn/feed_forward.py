"""The position-wise half of a transformer layer."""

from torch import Tensor, nn

from ercframe.nn.dropout import Dropout

# Shape letters: N utterances, D features, F features in between.


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
