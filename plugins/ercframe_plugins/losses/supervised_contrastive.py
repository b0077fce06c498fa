"""Supervised contrastive loss: utterances of one emotion attract, those of different emotions repel."""

import torch
from pydantic import Field
from torch import nn

from ercframe import Batch, ComponentConfig, DatasetInfo, Loss, ModelOutput, ModelSpec, Term, hookimpl
from ercframe.nn import contrast

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
        joint_SD = self.project(output.fused.joint[batch.scored])
        pairs = contrast(joint_SD, batch.labels[batch.scored], self.temperature)
        loss_S = -torch.where(pairs.positive, pairs.log_share, 0).sum(dim=-1) / pairs.positives.clamp_min(1)
        return {"contrast": Term(loss_S.sum(), (pairs.positives > 0).sum().to(loss_S.dtype))}


@hookimpl
def ercframe_components() -> list[type[Loss]]:
    return [SupervisedContrastiveLoss]
