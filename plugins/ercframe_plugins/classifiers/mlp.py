"""A classifier with hidden layers."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import nn

from ercframe import Classifier, ComponentConfig, Context, DatasetInfo, Decision, FusedSpec, FusionOutput, hookimpl
from ercframe.nn import Dropout

# Shape letters: N utterances, D features, C emotions.


class MLPClassifier(Classifier):
    r"""Hidden layers, each a linear map, ReLU and dropout, then a linear map to the emotions.

    .. math:: h_{i+1} = \operatorname{dropout}(\operatorname{ReLU}(W_i h_i + b_i)), \qquad z = W h + b

    Reads ``joint``, ``(N, D)``; returns logits ``(N, C)``. ``activate_input`` puts ReLU and dropout before the first
    map, too, for a fusion that ends in a linear map.

    References:
        The released heads of bc-LSTM and DialogueRNN have one hidden layer; those of MMGCN and MM-DFN none, and
        ``activate_input: true``.
    """

    name = "mlp"
    example_configs = ({"hidden": [8]}, {"hidden": [], "activate_input": True}, {"hidden": [8, 6], "dropout": 0.0})

    class Config(ComponentConfig):
        hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
            (100,), description="Features of each hidden layer, first to last; may be empty."
        )
        dropout: float = Field(0.5, ge=0, lt=1, description="Share of features dropped after every ReLU in training.")
        activate_input: bool = Field(False, description="Put ReLU and dropout before the first linear map, too.")

    def __init__(self, config: Config, dataset: DatasetInfo, fused: FusedSpec) -> None:
        super().__init__()
        widths = (fused.width, *config.hidden, len(dataset.labels))
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise(widths)):
            if i > 0 or config.activate_input:
                layers += [nn.ReLU(), Dropout(config.dropout)]
            layers.append(nn.Linear(before, after))
        self.layers = nn.Sequential(*layers)

    def forward(self, fused: FusionOutput, context: Context) -> Decision:
        return Decision(self.layers(fused.joint))


@hookimpl
def ercframe_components() -> list[type[Classifier]]:
    return [MLPClassifier]
