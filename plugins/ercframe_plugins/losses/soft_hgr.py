"""Soft-HGR: what the modalities of an utterance have in common is to be found in each of them."""

from itertools import combinations

import torch
from torch import Tensor

from ercframe import Batch, ComponentConfig, DatasetInfo, Loss, ModelOutput, ModelSpec, Term, hookimpl
from ercframe.nn import at_least_float32, without_autocast

# Shape letters: N utterances in the batch, S scored utterances, D features.


class SoftHGR(Loss):
    r"""Make the representations of two modalities as correlated as they can be, without letting them grow.

    For modalities :math:`m` and :math:`n`, with :math:`f` and :math:`g` their representations less their means over the
    :math:`K` scored utterances of a batch that have both modalities,

    .. math::

        \mathcal{L}_{mn} = -\frac{1}{K - 1} \sum_k f_k \cdot g_k
            + \frac{1}{2} \operatorname{tr}\left(\operatorname{cov}(f) \operatorname{cov}(g)\right),
        \qquad \operatorname{cov}(f) = \frac{1}{K - 1} \sum_k f_k f_k^\top

    where the covariances are of features, ``(D, D)``. The second part stands in the place of the constraint that
    features be white, under which the first would be the Hirschfeld-Gebelein-Rényi maximal correlation. It is never
    below :math:`-D / 2`. Reads ``fused.by_modality``, ``(N, D)`` each, of one width; returns a term for each pair,
    ``correlation_text_audio`` and so on. Labels are not read, but utterances that are not scored are left out. A pair
    that fewer than two utterances of a batch have adds nothing, and a covariance of few utterances is a rough estimate.

    Raises:
        SpecError: the fusion keeps no representation per modality.
        ValueError: there is one modality only, or their representations differ in width.

    References:
        Wang et al. (2019), *An Efficient Approach to Informative Feature Extraction from Multimodal Data*, and for
        emotions Shi and Huang (2023), MultiEMO. The code released with the latter gives ``torch.cov`` rows of
        utterances, so its covariances are between utterances, ``(N, N)``. Leaving out utterances that lack one of the
        two modalities is ours.
    """

    name = "soft_hgr"
    terms = ("correlation",)
    couples_rows = True

    def __init__(self, config: ComponentConfig, dataset: DatasetInfo, model: ModelSpec) -> None:
        super().__init__()
        widths = model.fused.require_by_modality()
        described = ", ".join(f"{m} ({width})" for m, width in widths.items())
        if len(widths) < 2:
            raise ValueError(f"must have the representations of two modalities or more (got {described})")
        if len(set(widths.values())) > 1:
            raise ValueError(f"representations of the modalities must have one width (got {described})")
        self.pairs = tuple(combinations(widths, 2))

    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        terms = {}
        for one, other in self.pairs:
            has_S = _has(one, batch) & _has(other, batch)
            f_SD, g_SD = (output.fused.by_modality[m].index_select(0, batch.scored) for m in (one, other))
            terms[f"correlation_{one}_{other}"] = soft_hgr(f_SD, g_SD, has_S)
        return terms


def soft_hgr(f_SD: Tensor, g_SD: Tensor, has_S: Tensor) -> Term:
    """The loss of one pair of modalities, over the rows in the mask ``has_S``; its count is their number less one."""
    f_SD, g_SD = _centred(at_least_float32(f_SD), has_S), _centred(at_least_float32(g_SD), has_S)
    count = (has_S.sum() - 1).clamp_min(0).to(f_SD.dtype)
    with without_autocast(f_SD.device):
        scatter_f_DD, scatter_g_DD = f_SD.mT @ f_SD, g_SD.mT @ g_SD
    # The trace of a product of symmetric matrices is the sum of their products, entry by entry.
    spread = (scatter_f_DD * scatter_g_DD).sum() / count.clamp_min(1)
    return Term(spread / 2 - (f_SD * g_SD).sum(), count)


def _centred(x_SD: Tensor, has_S: Tensor) -> Tensor:
    """Rows less the mean of those in the mask; zeros in the others."""
    has_S1 = has_S[:, None].to(x_SD.dtype)
    mean_D = (has_S1 * x_SD).sum(dim=0) / has_S1.sum().clamp_min(1)
    return has_S1 * (x_SD - mean_D)


def _has(modality: str, batch: Batch) -> Tensor:
    """Which scored utterances have a modality, ``(S,)``; what is no modality of the corpus counts as present."""
    available_N = batch.context.available.get(modality)
    if available_N is None:
        return torch.ones_like(batch.scored, dtype=torch.bool)
    return available_N.index_select(0, batch.scored)


@hookimpl
def ercframe_components() -> list[type[Loss]]:
    return [SoftHGR]
