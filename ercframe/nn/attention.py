"""Attention between the utterances of a dialogue, on packed rows."""

from collections.abc import Sequence

from torch import Tensor, nn

from ercframe.nn.grouped import grouped_linear
from ercframe.nn.visibility import Visibility

# Shape letters: N utterances in the batch, D features, H heads, K features of a head,
# G layers.


class DialogueAttention(nn.Module):
    r"""Multi-head attention of each utterance to the utterances of its own dialogue.

    .. math:: A = \operatorname{softmax}\left(Q K^\top / \sqrt{D / H}\right) V W_o + b_o

    with :math:`Q` from the target, :math:`K` and :math:`V` from the source, each through its own linear map. Every
    linear map works on packed rows.

    Args:
        width: features of target, source and result; must be divisible by ``heads``.
        heads: number of heads, each of ``width / heads`` features.
        dropout: share of attention weights dropped in training.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))

    def forward(self, target_ND: Tensor, source_ND: Tensor, visible: Visibility) -> Tensor:
        """What each target row gathers from the source, ``(N, D)``.

        Args:
            target_ND: asks.
            source_ND: answers; may be the target itself.
            visible: what each utterance may attend to, from :meth:`Visibility.within`.
        """
        y_NHK = visible.attend(
            self._by_head(self.query(target_ND)),
            self._by_head(self.key(source_ND)),
            self._by_head(self.value(source_ND)),
            self.dropout if self.training else 0.0,
        )
        gathered_ND: Tensor = self.output(y_NHK.flatten(1))
        return gathered_ND

    def _by_head(self, x_ND: Tensor) -> Tensor:
        return x_ND.view(x_ND.shape[0], self.heads, -1)


def grouped_attention(
    layers: Sequence[DialogueAttention], target_GND: Tensor, source_GND: Tensor, visible: Visibility
) -> Tensor:
    """What several attentions gather, each for a target and from a source of its own, ``(G, N, D)``.

    The same numbers as from one after the other, but for rounding and for which weights dropout picks.

    Args:
        layers: of one width, number of heads and dropout.
        target_GND: asks.
        source_GND: answers.
        visible: what each utterance may attend to, alike in all.
    """
    first = layers[0]

    def by_head(x_GND: Tensor) -> Tensor:
        # The heads of all layers side by side are heads of one attention.
        return x_GND.view(*x_GND.shape[:2], first.heads, -1).transpose(0, 1).flatten(1, 2)

    y_NHK = visible.attend(
        by_head(grouped_linear(target_GND, [layer.query for layer in layers])),
        by_head(grouped_linear(source_GND, [layer.key for layer in layers])),
        by_head(grouped_linear(source_GND, [layer.value for layer in layers])),
        first.dropout if first.training else 0.0,
    )
    y_GND = y_NHK.view(y_NHK.shape[0], len(layers), -1).transpose(0, 1)
    return grouped_linear(y_GND, [layer.output for layer in layers])
