"""Late fusion: every modality decides for itself, and the decisions are mixed."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ercframe import Classifier, ComponentConfig, Context, DatasetInfo, Decision, FusedSpec, FusionOutput, hookimpl
from ercframe.nn import at_least_float32

# Shape letters: N utterances, M modalities, D features, C emotions.


class LateClassifier(Classifier):
    r"""Mix the decisions of one linear head per modality with learned weights.

    With :math:`p_m = \operatorname{softmax}(W_m x_m + b_m)` and :math:`w = \operatorname{softmax}(s)`, where the scores
    :math:`s` are learned and start equal, the decision is

    .. math::

        \text{probabilities:} \quad p(c) = \sum_m w_m \, p_m(c)
        \qquad
        \text{log\_probabilities:} \quad p(c) \propto \prod_m p_m(c)^{w_m}

    A modality that an utterance lacks weighs 0 there and the others are scaled up to 1; an utterance that lacks all of
    them is mixed with :math:`w`. What is no modality of the corpus, such as a joint stream, counts as present.

    Reads one representation per modality, ``(N, D)``. Returns the logarithm of the mixed probabilities, ``(N, C)``, as
    logits, and ``weights["modality"]``, ``(N, M)``. The joint representation is not read, so the fusion should learn
    nothing for that alone.

    References:
        Kittler et al. (1998), *On combining classifiers*: the sum rule and the product rule, here weighted. Padi et al.
        (2022) mix the scores of a speech and a text model. In both the classifiers are trained one by one; here heads
        and weights are trained together.
    """

    name = "late"
    example_configs = ({}, {"mix": "log_probabilities"})

    class Config(ComponentConfig):
        mix: Literal["probabilities", "log_probabilities"] = Field(
            "probabilities",
            description="What is averaged. probabilities (sum rule): one modality cannot veto an emotion. "
            "log_probabilities (product rule): an emotion that any modality rules out is ruled out.",
        )

    def __init__(self, config: Config, dataset: DatasetInfo, fused: FusedSpec) -> None:
        super().__init__()
        widths = fused.require_by_modality()
        self.mix, self.modalities = config.mix, tuple(widths)
        self.heads = nn.ModuleList(nn.Linear(width, len(dataset.labels)) for width in widths.values())
        self.score = nn.Parameter(torch.zeros(len(widths)))

    def forward(self, fused: FusionOutput, context: Context) -> Decision:
        decided = zip(self.modalities, self.heads, strict=True)
        logits_NMC = torch.stack([head(fused.by_modality[m]) for m, head in decided], dim=-2)
        log_p_NMC = at_least_float32(logits_NMC).log_softmax(dim=-1)
        log_w_NM = self._log_weights(context)
        weights_NM = log_w_NM.exp()
        if self.mix == "probabilities":
            mixed_NC = torch.logsumexp(log_w_NM[..., None] + log_p_NMC, dim=-2)
        else:
            mixed_NC = (weights_NM[..., None] * log_p_NMC).sum(dim=-2).log_softmax(dim=-1)
        return Decision(mixed_NC, {"modality": weights_NM})

    def _log_weights(self, context: Context) -> Tensor:
        """Logarithm of each modality's weight, ``(N, M)``, negative infinity where an utterance lacks it."""
        present = torch.ones_like(context.speaker, dtype=torch.bool)
        has_NM = torch.stack([context.available.get(m, present) for m in self.modalities], dim=-1)
        lacks_NM = ~has_NM & has_NM.any(dim=-1, keepdim=True)
        return self.score.expand(lacks_NM.shape).masked_fill(lacks_NM, -torch.inf).log_softmax(dim=-1)


@hookimpl
def ercframe_components() -> list[type[Classifier]]:
    return [LateClassifier]
