"""The plainest classifier."""

from pydantic import Field
from torch import nn

from ercframe import Classifier, ComponentConfig, Context, DatasetInfo, Decision, FusedSpec, FusionOutput, hookimpl
from ercframe.nn import Dropout

# Shape letters: N utterances, D features, C emotions.


class LinearClassifier(Classifier):
    r"""One linear map from the joint representation to the emotions.

    .. math:: z = W h + b

    with dropout before it where asked for. Reads ``joint``, ``(N, D)``; returns logits ``(N, C)``.

    References:
        Ma et al. (2024), emotion classifier of the fused representation; without dropout, as in the released code.
    """

    name = "linear"
    example_configs = ({}, {"dropout": 0.5})

    class Config(ComponentConfig):
        dropout: float = Field(0.0, ge=0, lt=1, description="Share of the input's features dropped in training.")

    def __init__(self, config: Config, dataset: DatasetInfo, fused: FusedSpec) -> None:
        super().__init__()
        self.dropout = Dropout(config.dropout)
        self.score = nn.Linear(fused.width, len(dataset.labels))

    def forward(self, fused: FusionOutput, context: Context) -> Decision:
        return Decision(self.score(self.dropout(fused.joint)))


@hookimpl
def ercframe_components() -> list[type[Classifier]]:
    return [LinearClassifier]
