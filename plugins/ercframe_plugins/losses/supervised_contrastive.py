"""Supervised contrastive loss: utterances of one emotion attract, those of different emotions repel."""

import torch
from pydantic import Field
from torch import Tensor, nn

from ercframe import Batch, ComponentConfig, DatasetInfo, Loss, ModelOutput, ModelSpec, Term, hookimpl
from ercframe.nn import at_least_float32, without_autocast

# Shape letters: S scored utterances, D features.


class SupervisedContrastiveLoss(Loss):
    r"""Pull the representations of one emotion together and push different emotions apart.

    .. math::

        \mathcal{L} = \frac{1}{|I|} \sum_{i \in I} \frac{-1}{|P(i)|} \sum_{p \in P(i)}
            \log \frac{\exp(z_i \cdot z_p / \tau)}{\sum_{a \ne i} \exp(z_i \cdot z_a / \tau)}

    over the scored utterances of a batch: :math:`z` is the joint representation (projected, where asked for) scaled to
    length 1, :math:`P(i)` holds the other utterances with the label of :math:`i`, and :math:`I` the utterances with
    at least one such. Reads ``fused.joint``, ``(N, D)``; returns the term ``contrast``. Time and memory grow with the
    square of the number of scored utterances in a batch.

    References:
        Khosla et al. (2020), *Supervised contrastive learning*, equation 2 (the sum outside of the logarithm), with
        their temperature. They project with a two-layer network to 128 features and compare two augmented views of
        every example; here the projection is linear and there is one view.
    """

    name = "supervised_contrastive"
    terms = ("contrast",)
    couples_rows = True
    example_configs = ({}, {"projection": 5, "temperature": 0.5})

    class Config(ComponentConfig):
        temperature: float = Field(0.1, gt=0, description="Below 1 looks harder at the nearest utterances.")
        projection: int | None = Field(
            None,
            ge=1,
            description="Compare a linear map of the representation to this width; null: compare it as it is.",
        )

    def __init__(self, config: Config, dataset: DatasetInfo, model: ModelSpec) -> None:
        super().__init__()
        self.temperature = config.temperature
        width = config.projection
        self.project = nn.Identity() if width is None else nn.Linear(model.fused.width, width, bias=False)

    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        z_SD = _unit(at_least_float32(self.project(output.fused.joint[batch.scored])))
        labels_S = batch.labels[batch.scored]
        itself_SS = torch.eye(len(labels_S), dtype=torch.bool, device=labels_S.device)
        positive_SS = (labels_S[:, None] == labels_S) & ~itself_SS
        with without_autocast(z_SD.device):
            similar_SS = (z_SD @ z_SD.mT) / self.temperature
        # Finite, so that a lone utterance, compared with nothing, has no infinite logarithm to differentiate.
        others_SS = similar_SS.masked_fill(itself_SS, torch.finfo(similar_SS.dtype).min)
        log_p_SS = others_SS.log_softmax(dim=-1)
        positives_S = positive_SS.sum(dim=-1)
        loss_S = -torch.where(positive_SS, log_p_SS, 0).sum(dim=-1) / positives_S.clamp_min(1)
        return {"contrast": Term(loss_S.sum(), (positives_S > 0).sum().to(loss_S.dtype))}


def _unit(x: Tensor) -> Tensor:
    """Rows scaled to length 1. A row of zeros stays as it is: its direction, and so its slope, is not defined."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.masked_fill(length == 0, 1)


@hookimpl
def ercframe_components() -> list[type[Loss]]:
    return [SupervisedContrastiveLoss]
