"""Sample-weighted focal contrastive loss: rare emotions and pairs that are hard to bring together count more."""

import torch
from pydantic import Field
from torch import Tensor

from ercframe import Batch, ComponentConfig, DatasetInfo, Loss, ModelOutput, ModelSpec, Term, hookimpl
from ercframe.nn import class_weights, contrast

# Shape letters: S scored utterances, C emotions.


class SampleWeightedFocalContrastive(Loss):
    r"""Pull the representations of one emotion together, the more so the rarer it is and the further they are apart.

    .. math::

        \mathcal{L} = \frac{1}{|I|} \sum_{i \in I} \left(\frac{N}{n_{y_i}}\right)^\alpha \frac{-1}{|P(i)|}
            \sum_{p \in P(i)} (1 - s_{ip})^\gamma \log s_{ip},
        \qquad s_{ip} = \frac{\exp(z_i \cdot z_p / \tau)}{\sum_{a \ne i} \exp(z_i \cdot z_a / \tau)}

    over the scored utterances of a batch: :math:`z` is the joint representation scaled to length 1, :math:`P(i)` holds
    the other utterances with the label of :math:`i`, and :math:`I` the utterances with at least one such. :math:`N` is
    the number of scored utterances in what is trained on, :math:`n_c` that of emotion :math:`c`; an emotion that is
    never seen there counts nothing. With :math:`\alpha = \gamma = 0` it is ``supervised_contrastive``. Reads
    ``fused.joint``, ``(N, D)``; returns the term ``contrast``. Time and memory grow with the square of the number of
    scored utterances in a batch. An emotion of which a batch has one utterance pulls nothing there, and is still pushed
    away by the others.

    Raises:
        ValueError: the class counts of the corpus are not known and ``alpha`` is above 0.

    References:
        Shi and Huang (2023), MultiEMO, the Sample-Weighted Focal Contrastive (SWFC) loss. Theirs is a sum over
        utterances; this is a mean over those with a pair, so that its size does not depend on the batch's. That
        :math:`N` and :math:`n_c` count the training split, and that :math:`z` has length 1, is this class's reading and
        not confirmed. The released code goes through the utterances one by one, which this does not.
    """

    name = "swfc"
    terms = ("contrast",)
    couples_rows = True
    example_configs = ({}, {"alpha": 0.0, "gamma": 0.5, "temperature": 0.5})

    class Config(ComponentConfig):
        temperature: float = Field(0.8, gt=0, description="Below 1 looks harder at the nearest utterances.")
        gamma: float = Field(
            2.0, ge=0, description="How fast a pair loses weight as its share of the similarity grows; 0: not at all."
        )
        alpha: float = Field(
            0.8, ge=0, description="How much more rare emotions count: power of their inverse frequency; 0: all alike."
        )

    rarity: Tensor | None

    def __init__(self, config: Config, dataset: DatasetInfo, model: ModelSpec) -> None:
        super().__init__()
        self.temperature, self.gamma, self.alpha = config.temperature, config.gamma, config.alpha
        rarity_C = class_weights("inverse_frequency", dataset) if config.alpha else None
        self.register_buffer("rarity", rarity_C, persistent=False)

    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        labels_S = batch.labels[batch.scored]
        pairs = contrast(output.fused.joint[batch.scored], labels_S, self.temperature)
        log_share_SS = torch.where(pairs.positive, pairs.log_share, 0)
        # Where a share rounds to 1, a power below 1 has an infinite slope at 0, and infinity times log s = 0 is NaN.
        rest_SS = (-torch.expm1(log_share_SS)).clamp_min(torch.finfo(log_share_SS.dtype).tiny)
        loss_S = -(rest_SS**self.gamma * log_share_SS).sum(dim=-1) / pairs.positives.clamp_min(1)
        if self.rarity is not None:
            loss_S = self.rarity[labels_S] ** self.alpha * loss_S
        return {"contrast": Term(loss_S.sum(), (pairs.positives > 0).sum().to(loss_S.dtype))}


@hookimpl
def ercframe_components() -> list[type[Loss]]:
    return [SampleWeightedFocalContrastive]
