"""Attention between the utterances of a dialogue, on packed rows."""

from torch import Tensor, nn

from ercframe.layout import Layout

# Shape letters: B dialogues, L longest dialogue, N utterances in the batch, D features, H heads, K features of a head.


class DialogueAttention(nn.Module):
    r"""Multi-head attention of each utterance to the utterances of its own dialogue.

    .. math:: A = \operatorname{softmax}\left(Q K^\top / \sqrt{D / H}\right) V W_o + b_o

    with :math:`Q` from the target, :math:`K` and :math:`V` from the source, each through its own linear map. Every
    linear map works on packed rows; only the attention itself is computed on a padded view.

    Args:
        width: features of target, source and result; must be divisible by ``heads``.
        heads: number of heads, each of ``width / heads`` features.
        dropout: share of attention weights dropped in training.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))

    def forward(self, target_ND: Tensor, source_ND: Tensor, layout: Layout, visible_BLL: Tensor) -> Tensor:
        """What each target row gathers from the source, ``(N, D)``.

        Args:
            target_ND: asks.
            source_ND: answers; may be the target itself.
            layout: where the dialogues are.
            visible_BLL: which key (last axis) each query may attend to, from :meth:`Layout.attention_mask`.
        """
        y_BHLK = nn.functional.scaled_dot_product_attention(
            self._by_head(self.query(target_ND), layout),
            self._by_head(self.key(source_ND), layout),
            self._by_head(self.value(source_ND), layout),
            attn_mask=visible_BLL.unsqueeze(1),
            dropout_p=self.dropout if self.training else 0.0,
        )
        y_ND = layout.from_padded(y_BHLK.transpose(1, 2)).flatten(1)
        gathered_ND: Tensor = self.output(y_ND)
        return gathered_ND

    def _by_head(self, x_ND: Tensor, layout: Layout) -> Tensor:
        x_BLD = layout.to_padded(x_ND)
        return x_BLD.view(*x_BLD.shape[:2], self.heads, -1).transpose(1, 2)
