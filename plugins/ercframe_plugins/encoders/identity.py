"""No context: every utterance's features as they are, or through one linear map."""

from collections.abc import Mapping

from pydantic import Field
from torch import Tensor, nn

from ercframe import ComponentConfig, Context, DatasetInfo, Encoder, Stream, Streams, StreamSpec, hookimpl

# Shape letters: N utterances, D features.


class IdentityEncoder(Encoder):
    r"""Pass the features on, so that a fusion can be tried without a conversation around it.

    .. math:: x'_m = x_m \quad\text{or, with } \texttt{width},\quad x'_m = W_m x_m + b_m

    Emits each modality's own stream: ``(N, D)`` with the modality's own D, or ``(N, width)`` for fusions that need
    streams of one width.
    """

    name = "identity"
    sees_future = False
    example_configs = ({}, {"width": 6})

    class Config(ComponentConfig):
        width: int | None = Field(
            None, ge=1, description="Width of a linear map for each modality; null passes the features on unchanged."
        )

    def __init__(self, config: Config, dataset: DatasetInfo) -> None:
        super().__init__()
        self.maps = nn.ModuleDict(
            {m: nn.Linear(d, config.width) if config.width else nn.Identity() for m, d in dataset.modalities.items()}
        )
        self.spec = StreamSpec({Stream(m, m): config.width or d for m, d in dataset.modalities.items()})

    def forward(self, features: Mapping[str, Tensor], context: Context) -> Streams:
        return Streams({Stream(m, m): to_width(features[m]) for m, to_width in self.maps.items()})


@hookimpl
def ercframe_components() -> list[type[Encoder]]:
    return [IdentityEncoder]
