"""Focal loss: what is already predicted well counts less."""

import torch
from pydantic import Field
from torch import Tensor

from ercframe import Batch, ComponentConfig, DatasetInfo, Loss, ModelOutput, ModelSpec, Term, hookimpl
from ercframe.nn import ClassWeights, at_least_float32, class_weights, scored_weight

# Shape letters: S scored utterances, C emotions.


class FocalLoss(Loss):
    r"""Cross-entropy in which an utterance counts less the better it is predicted.

    .. math:: \mathcal{L} = \frac{\sum_i w_{y_i} (1 - p_i)^\gamma (-\log p_i)}{\sum_i w_{y_i}}

    with :math:`p_i` the probability given to the label :math:`y_i` of scored utterance :math:`i`, and :math:`w` the
    class weights. :math:`\gamma = 0` is cross-entropy. Reads ``decision.logits``, ``(N, C)``; returns the term
    ``focal``.

    Raises:
        ValueError: ``class_weights`` does not fit the corpus.

    References:
        Lin et al. (2017), *Focal loss for dense object detection*, equations 4 and 5, where :math:`w` is called
        :math:`\alpha` and the sum is divided by a number of boxes. MM-DFN's released code detaches
        :math:`(1 - p_i)^\gamma` (``detach_focus: true``) and divides by the number of utterances, weighted or not.
    """

    name = "focal"
    terms = ("focal",)
    example_configs = ({}, {"gamma": 0.5, "class_weights": "inverse_frequency", "detach_focus": True})

    class Config(ComponentConfig):
        gamma: float = Field(2.0, ge=0, description="How fast a well predicted utterance loses weight; 0: not at all.")
        class_weights: ClassWeights = Field(
            "none",
            description="Weight of each emotion: none, inverse_frequency, or a list in the order of the labels.",
        )
        detach_focus: bool = Field(
            False, description="Take the factor (1 − p)^γ as a constant, so that no gradient passes through it."
        )

    class_weights: Tensor | None

    def __init__(self, config: Config, dataset: DatasetInfo, model: ModelSpec) -> None:
        super().__init__()
        self.gamma, self.detach_focus = config.gamma, config.detach_focus
        self.register_buffer("class_weights", class_weights(config.class_weights, dataset), persistent=False)

    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        logits_SC = at_least_float32(output.decision.logits)[batch.scored]
        labels_S = batch.labels[batch.scored]
        log_p_S = logits_SC.log_softmax(dim=-1).gather(-1, labels_S[:, None]).squeeze(-1)
        # Where p rounds to 1, a power below 1 has an infinite slope at 0, and infinity times log p = 0 is NaN.
        missing_S = (-torch.expm1(log_p_S)).clamp_min(torch.finfo(log_p_S.dtype).tiny)
        focus_S = (missing_S.detach() if self.detach_focus else missing_S) ** self.gamma
        weight_S = torch.ones_like(log_p_S) if self.class_weights is None else self.class_weights[labels_S]
        return {"focal": Term((weight_S * focus_S * -log_p_S).sum(), weight_S.sum())}

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {"focal": scored_weight(batch, self.class_weights)}


@hookimpl
def ercframe_components() -> list[type[Loss]]:
    return [FocalLoss]
