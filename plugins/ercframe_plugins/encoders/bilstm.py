"""Bidirectional LSTM over each dialogue, one per modality, as in bc-LSTM."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from ercframe import ComponentConfig, Context, DatasetInfo, Encoder, Layout, Stream, Streams, StreamSpec, hookimpl
from ercframe.nn import MatchingAttention, StepOrder, lstm_by_steps

# Shape letters: N utterances, D features.


class BiLSTM(nn.Module):
    """LSTM layers that read each dialogue in both directions, ``(N, D)`` to ``(N, 2 * hidden)``: forward, backward.

    Args:
        width: D.
        hidden: width of one direction's state.
        layers: each layer but the first reads both directions of the one below.
        dropout: between layers.
    """

    def __init__(self, width: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0  # with one layer there is no place for it, and PyTorch warns
        self.lstm = nn.LSTM(width, hidden, layers, dropout=between, bidirectional=True)

    def forward(self, x_ND: Tensor, layout: Layout) -> Tensor:
        """Both directions of the last layer, side by side."""
        if not layout.has_known_sizes:
            return lstm_by_steps(self.lstm, x_ND)
        order = StepOrder.of(layout)
        y, _ = self.lstm(order.pack(x_ND))
        return order.unpack(y)


class ModalityEncoder(nn.Module):
    """What one recurrent modality goes through: perhaps a linear map, the LSTM, perhaps attention."""

    def __init__(
        self, width: int, hidden: int, layers: int, dropout: float, project: int | None, matching: bool
    ) -> None:
        super().__init__()
        self.project = nn.Linear(width, project) if project else None
        self.context = BiLSTM(project or width, hidden, layers, dropout)
        self.attention = MatchingAttention(2 * hidden, squash=True) if matching else None

    def forward(self, x_ND: Tensor, layout: Layout) -> Tensor:
        """``(N, D)`` to ``(N, 2 * hidden)``."""
        if self.project is not None:
            x_ND = self.project(x_ND)
        x_ND = self.context(x_ND, layout)
        return x_ND if self.attention is None else self.attention(x_ND, layout)


class BiLSTMEncoder(Encoder):
    r"""Let every utterance hear its dialogue, each modality by itself.

    .. math:: x'_m = \operatorname{BiLSTM}_m(P_m x_m)

    The linear map :math:`P_m` is there with ``project``. A modality that is not ``recurrent`` gets
    :math:`x'_m = W_m x_m + b_m` instead. With ``attention: matching``, each recurrent modality then
    passes :class:`~ercframe.nn.MatchingAttention` with the tanh: every utterance is replaced by a mixture of its
    dialogue. Emits each modality's own stream, ``(N, 2 * hidden)``.

    With all modalities recurrent this is the context of bc-LSTM; with text alone, ``project`` at twice ``hidden``, it
    is what MMGCN has before its graph.

    A dialogue's result does not depend on the others in its batch. Both released systems differ: they run the LSTM over
    padded dialogues, so the backward direction of a short dialogue starts in the padding of the longest one.

    Raises:
        ValueError: ``recurrent`` names a modality that the recipe does not have.

    References:
        Poria et al. (2017), Context-Dependent Sentiment Analysis in User-Generated Videos; the attention is from the
        later released implementation. Hu et al. (2021), MMGCN.
    """

    name = "bilstm"
    causal_help = ("encoder.recurrent=[]",)
    example_configs = (
        {"hidden": 4},
        {"hidden": 4, "layers": 1, "recurrent": ["text"], "project": 6, "attention": "matching", "dropout": 0.0},
    )

    class Config(ComponentConfig):
        hidden: int = Field(100, ge=1, description="Width of each direction's state; streams are twice as wide.")
        layers: int = Field(2, ge=1, description="LSTM layers.")
        dropout: float = Field(0.25, ge=0, lt=1, description="Between LSTM layers.")
        project: int | None = Field(
            None, ge=1, description="Width of a linear map before the LSTM; null feeds it the features themselves."
        )
        recurrent: tuple[str, ...] | None = Field(
            None,
            description="Modalities that get the LSTM; null for all. Others get a linear map to the same width.",
        )
        attention: Literal["none", "matching"] = Field(
            "none", description="matching: attention over the dialogue after the LSTM, in the place of its output."
        )

    def __init__(self, config: Config, dataset: DatasetInfo) -> None:
        super().__init__()
        modalities = dataset.modalities
        recurrent = tuple(modalities) if config.recurrent is None else config.recurrent
        unknown = [m for m in recurrent if m not in modalities]
        if unknown:
            raise ValueError(f"recurrent must name modalities among {', '.join(modalities)} (got {', '.join(unknown)})")
        width = 2 * config.hidden
        self.recurrent = nn.ModuleDict(
            {
                m: ModalityEncoder(
                    modalities[m],
                    config.hidden,
                    config.layers,
                    config.dropout,
                    config.project,
                    config.attention == "matching",
                )
                for m in dict.fromkeys(recurrent)
            }
        )
        self.linear = nn.ModuleDict({m: nn.Linear(d, width) for m, d in modalities.items() if m not in recurrent})
        self.sees_future = bool(recurrent)
        self.spec = StreamSpec({Stream(m, m): width for m in modalities})

    def forward(self, features: Mapping[str, Tensor], context: Context) -> Streams:
        return Streams(
            {
                stream: self._encode(stream.target, features[stream.target], context.layout)
                for stream in self.spec.widths
            }
        )

    def _encode(self, modality: str, x_ND: Tensor, layout: Layout) -> Tensor:
        if modality in self.recurrent:
            encoded: Tensor = self.recurrent[modality](x_ND, layout)
        else:
            encoded = self.linear[modality](x_ND)
        return encoded


@hookimpl
def ercframe_components() -> list[type[Encoder]]:
    return [BiLSTMEncoder]
