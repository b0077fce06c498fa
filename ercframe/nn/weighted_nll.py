"""Cross-entropy as a sum and what to divide it by."""

from torch import Tensor, nn

from ercframe.nn.precision import at_least_float32
from ercframe.tensors import Term

# Shape letters: S scored utterances, C emotions.


def weighted_nll(
    logits_SC: Tensor, labels_S: Tensor, weight_C: Tensor | None = None, label_smoothing: float = 0.0
) -> Term:
    r"""Negative log-likelihood of the labels, each row weighted by its emotion.

    .. math:: \text{total} = -\sum_n w_{y_n} \log \operatorname{softmax}(z_n)_{y_n}, \qquad
              \text{count} = \sum_n w_{y_n}

    With smoothing :math:`\varepsilon` the target is :math:`(1 - \varepsilon)` on the label plus
    :math:`\varepsilon / C` on every emotion, each emotion by its own weight; this is PyTorch's definition. Computed in
    at least float32. No row at all gives a total of 0 that is attached to the graph.
    """
    logits_SC = at_least_float32(logits_SC)
    if weight_C is None:
        count = logits_SC.new_full((), len(labels_S))
    else:
        weight_C = weight_C.to(logits_SC.dtype)
        count = weight_C.index_select(0, labels_S).sum()
    total = nn.functional.cross_entropy(logits_SC, labels_S, weight_C, reduction="sum", label_smoothing=label_smoothing)
    return Term(total, count)
