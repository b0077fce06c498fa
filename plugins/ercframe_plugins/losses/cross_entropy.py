"""Cross-entropy, the task loss of most systems."""

from pydantic import Field
from torch import Tensor

from ercframe import Batch, ComponentConfig, DatasetInfo, Loss, ModelOutput, ModelSpec, Term, hookimpl
from ercframe.nn import ClassWeights, class_weights, scored_weight, weighted_nll

# Shape letters: S scored utterances, C emotions.


class CrossEntropy(Loss):
    r"""Negative log-likelihood of the label, weighted by class where asked for.

    .. math:: L = -\frac{\sum_n w_{y_n} \log \operatorname{softmax}(z_n)_{y_n}}{\sum_n w_{y_n}}

    over the scored utterances. Reads ``decision.logits``, ``(N, C)``; returns one term, ``nll``. With
    ``inverse_frequency``, an emotion that is never seen in what is trained on weighs 0.

    References:
        Ma et al. (2024), the task loss. On IEMOCAP the released code weighs by inverse frequency, on MELD not at all.

    Raises:
        ValueError: the list of class weights has not one number per emotion.
    """

    name = "cross_entropy"
    terms = ("nll",)
    example_configs = ({}, {"class_weights": "inverse_frequency", "label_smoothing": 0.1})

    class Config(ComponentConfig):
        class_weights: ClassWeights = Field(
            "none",
            description="Weight of each emotion: none, inverse_frequency, or a list in the order of the labels.",
        )
        label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of the target spread over all emotions.")

    class_weights: Tensor | None

    def __init__(self, config: Config, dataset: DatasetInfo, model: ModelSpec) -> None:
        super().__init__()
        self.label_smoothing = config.label_smoothing
        self.register_buffer("class_weights", class_weights(config.class_weights, dataset), persistent=False)

    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        logits_SC = output.decision.logits.index_select(0, batch.scored)
        labels_S = batch.labels.index_select(0, batch.scored)
        return {"nll": weighted_nll(logits_SC, labels_S, self.class_weights, self.label_smoothing)}

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {"nll": scored_weight(batch, self.class_weights)}


@hookimpl
def ercframe_components() -> list[type[Loss]]:
    return [CrossEntropy]
