"""SDT's encoder: one transformer layer for each ordered pair of modalities."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from ercframe import (
    ComponentConfig,
    Context,
    DatasetInfo,
    Encoder,
    Stream,
    Streams,
    StreamSpec,
    Window,
    hookimpl,
)
from ercframe.nn import Visibility, sinusoidal_positions, speaker_rows
from ercframe_plugins.encoders.pair_transformers import PairTransformers

# Shape letters: L longest dialogue, N utterances in the batch, D features.


class IntraInterTransformer(Encoder):
    r"""Let every modality listen to itself and to each other one, with a transformer layer for each pair.

    Modality :math:`m` is projected without bias, and the position and the speaker of each utterance are added:

    .. math:: H_m = W_m U_m + P + S

    with sinusoidal positions :math:`P` and learned speaker rows :math:`S`. For each target :math:`m` and each source
    :math:`n`, :math:`m` itself included, the stream :math:`m \leftarrow n` is

    .. math:: X = H_m + \operatorname{Attention}(H_m, H_n, H_n), \qquad Z_{m \leftarrow n} = X + \operatorname{FFN}(X)

    Target is query; source is key and value. No two pairs share parameters. Emits ``(N, width)`` per pair: for each
    target in the recipe's order its own stream, then those from the others in that order; with ``streams: intra`` the
    own ones alone. An utterance without a modality takes part with its position and speaker.

    The last speaker row stands for "unknown". It starts at zero, and nothing trains it unless the data has such
    speakers.

    References:
        Ma et al. (2024), "A Transformer-Based Model With Self-Distillation for Multimodal Emotion Recognition in
        Conversations": temporal convolution, positional and speaker embedding, intra- and inter-modal transformers.
        As in the released code, the convolution has kernel 1 (a linear map) and positions and speakers are added to
        both inputs of a pair. Different from it: whether a pair is intra-modal is decided when the model is built,
        not by comparing tensors; no dialogue is too long (512 there); positions are not rounded to float32; the nine
        normalisations that no forward pass reaches are left out. ``streams``, ``window`` and switching embeddings off
        are ours.
    """

    name = "intra_inter_transformer"
    example_configs = (
        {"width": 16, "heads": 2},
        {"width": 16, "heads": 4, "streams": "intra", "window": {"past": 2, "future": 0}, "dropout": 0.0},
        {"width": 9, "heads": 3, "position_embedding": False, "speaker_embedding": False},
    )
    unread_help = "encoder.streams=intra emits only each modality's own stream."
    causal_help = ("encoder.window={future: 0}",)

    class Config(ComponentConfig):
        width: int = Field(1024, ge=1, description="Features of every stream; must be divisible by heads.")
        heads: int = Field(8, ge=1, description="Attention heads of every pair.")
        dropout: float = Field(
            0.5,
            ge=0,
            lt=1,
            description="For the inputs of every pair, attention weights, attended rows and the feed-forward network.",
        )
        streams: Literal["all", "intra", "inter"] = Field(
            "all",
            description="all: one stream per ordered pair of modalities. intra: each modality's own only. "
            "inter: those from another modality only.",
        )
        window: Window | None = Field(
            None, description="How many earlier and later utterances are visible (past, future); null for all."
        )
        position_embedding: bool = Field(True, description="Add sinusoidal positions to the projected features.")
        speaker_embedding: bool = Field(True, description="Add a learned row for the speaker.")

        @model_validator(mode="after")
        def _heads_divide_width(self) -> "IntraInterTransformer.Config":
            if self.width % self.heads:
                raise ValueError(f"width must be divisible by heads (got width {self.width}, heads {self.heads})")
            return self

    def __init__(self, config: Config, dataset: DatasetInfo) -> None:
        super().__init__()
        self.width, self.window, self.positions = config.width, config.window or Window(), config.position_embedding
        self.sees_future = self.window.future != 0
        self.project = nn.ModuleDict(
            {m: nn.Linear(width, config.width, bias=False) for m, width in dataset.modalities.items()}
        )
        self.speaker = speaker_rows(dataset.speakers, config.width) if config.speaker_embedding else None
        self.streams = _pairs(tuple(dataset.modalities), config.streams)
        self.pairs = PairTransformers(self.streams, config.width, config.heads, config.dropout)
        self.spec = StreamSpec(dict.fromkeys(self.streams, config.width))

    def forward(self, features: Mapping[str, Tensor], context: Context) -> Streams:
        visible = Visibility.within(context.layout, self.window.past, self.window.future)
        h = self._embed({m: project(features[m]) for m, project in self.project.items()}, context)
        return Streams(self.pairs(h, visible))

    def _embed(self, x: dict[str, Tensor], context: Context) -> dict[str, Tensor]:
        """Add position and speaker, which the modalities of an utterance share."""
        if self.positions:
            table_LD = sinusoidal_positions(context.layout.longest, self.width, like=next(iter(x.values())))
            position_ND = table_LD.index_select(0, context.layout.position)
            x = {m: x_ND + position_ND for m, x_ND in x.items()}
        if self.speaker is not None:
            speaker_ND = self.speaker(context.speaker)
            x = {m: x_ND + speaker_ND for m, x_ND in x.items()}
        return x


def _pairs(modalities: tuple[str, ...], which: str) -> tuple[Stream, ...]:
    """Streams by target, its own first.

    Raises:
        ValueError: there would be none.
    """
    own = {m: [Stream(m, m)] if which != "inter" else [] for m in modalities}
    others = {m: [Stream(m, n) for n in modalities if n != m] if which != "intra" else [] for m in modalities}
    pairs = tuple(stream for m in modalities for stream in (*own[m], *others[m]))
    if not pairs:
        raise ValueError(f"streams=inter must have two modalities or more (got {', '.join(modalities)})")
    return pairs


@hookimpl
def ercframe_components() -> list[type[Encoder]]:
    return [IntraInterTransformer]
