"""DialogueRNN: a global state, one state per speaker, and an emotion state that follows from them."""

from collections.abc import Iterator, Mapping

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ercframe import ComponentConfig, Context, DatasetInfo, Encoder, Layout, Stream, Streams, StreamSpec, hookimpl
from ercframe.nn import Dropout, MatchingAttention, StepOrder

# Shape letters: N utterances, R dialogues still running at a step, T steps before it, P parties, D features,
# G global, H party state, E emotion state.


class FedGRUCell(nn.Module):
    r"""GRU cell whose input is in two pieces: ``known`` for all steps in advance, and ``fed`` back from a step.

    The known piece's share of the gates is computed once, by :attr:`known`, for all steps. Weights are those of
    ``torch.nn.GRUCell``, with the columns of ``weight_ih`` divided between the two pieces, and start like them.
    """

    def __init__(self, known: int, fed: int, hidden: int) -> None:
        super().__init__()
        self.known = nn.Linear(known, 3 * hidden)
        self.fed = nn.Linear(fed, 3 * hidden, bias=False)
        self.hidden = nn.Linear(hidden, 3 * hidden)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)

    def forward(self, known: Tensor, fed: Tensor, state: Tensor) -> Tensor:
        """The next state; ``known`` is what :attr:`known` gave for this step. Leading axes broadcast."""
        reset_x, update_x, new_x = (known + self.fed(fed)).chunk(3, dim=-1)
        reset_h, update_h, new_h = self.hidden(state).chunk(3, dim=-1)
        new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
        return new + torch.sigmoid(update_x + update_h) * (state - new)


def attend(query_RG: Tensor, history_RTG: Tensor) -> Tensor:
    """Mix the global states so far, ``(R, G)``; before the first turn there are none, and their sum is zero."""
    weight_RT = torch.softmax((history_RTG @ query_RG[:, :, None]).squeeze(-1), dim=-1)
    return (weight_RT[:, None] @ history_RTG).squeeze(1)


class OneWay(nn.Module):
    """Read every dialogue in one direction; formulae at :class:`DialogueRNNEncoder`.

    Args:
        width: D.
        widths: G, H and E.
        parties: P.
        listener: whether those who do not speak change, too.
        recurrent_dropout: on new global and party states; the next step sees what is left of them.
        dropout: on emotion states.
    """

    def __init__(
        self,
        width: int,
        widths: tuple[int, int, int],
        parties: int,
        listener: bool,
        recurrent_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.global_width, self.party_width, emotion_width = widths
        self.parties = parties
        self.global_cell = FedGRUCell(width, self.party_width, self.global_width)
        self.query = nn.Linear(width, self.global_width, bias=False)
        self.speaker = FedGRUCell(width, self.global_width, self.party_width)
        self.listener = FedGRUCell(width, self.party_width, self.party_width) if listener else None
        self.emotion = nn.GRU(self.party_width, emotion_width)
        self.recurrent_dropout, self.dropout = Dropout(recurrent_dropout), Dropout(dropout)

    def forward(self, x_ND: Tensor, speaker_N: Tensor, counts: tuple[int, ...]) -> Tensor:
        """Emotion states, ``(N, E)``. Rows are in the order of :class:`~ercframe.nn.StepOrder`, in and out."""
        state_RG = x_ND.new_zeros(counts[0], self.global_width)
        history_RTG = x_ND.new_zeros(counts[0], 0, self.global_width)
        party_RPH = x_ND.new_zeros(counts[0], self.parties, self.party_width)
        spoken: list[Tensor] = []
        for step in self._steps(x_ND, speaker_N, counts):
            for_global, for_speaker, for_listener, query_RG, speaker_R = step
            running = len(speaker_R)
            state_RG, history_RTG, party_RPH = state_RG[:running], history_RTG[:running], party_RPH[:running]
            own_R1H = speaker_R[:, None, None].expand(-1, 1, self.party_width)
            before_RH = party_RPH.gather(1, own_R1H).squeeze(1)
            context_RG = attend(query_RG, history_RTG)
            state_RG = self.recurrent_dropout(self.global_cell(for_global, before_RH, state_RG))
            history_RTG = torch.cat([history_RTG, state_RG[:, None]], dim=1)
            after_RH = self.recurrent_dropout(self.speaker(for_speaker, context_RG, before_RH))
            party_RPH = self._listen(for_listener, after_RH, party_RPH).scatter(1, own_R1H, after_RH[:, None])
            spoken.append(after_RH)
        packed, _ = self.emotion(PackedSequence(torch.cat(spoken), torch.tensor(counts)))
        emotion_NE: Tensor = self.dropout(packed.data)
        return emotion_NE

    def _steps(self, x_ND: Tensor, speaker_N: Tensor, counts: tuple[int, ...]) -> Iterator[tuple[Tensor, ...]]:
        """What the utterances alone say to each cell, cut into steps."""
        for_listener = x_ND[:, :0] if self.listener is None else self.listener.known(x_ND)
        known = (self.global_cell.known(x_ND), self.speaker.known(x_ND), for_listener, self.query(x_ND), speaker_N)
        return zip(*(rows.split(counts) for rows in known), strict=True)

    def _listen(self, for_listener: Tensor, after_RH: Tensor, party_RPH: Tensor) -> Tensor:
        """Every party's state after it heard the speaker; the speaker's own is overwritten by the caller."""
        if self.listener is None:
            return party_RPH
        heard_RPH: Tensor = self.recurrent_dropout(self.listener(for_listener[:, None], after_RH[:, None], party_RPH))
        return heard_RPH


class Conversation(nn.Module):
    """Perhaps a linear map, one or both directions and, perhaps, attention over the emotion states.

    ``(N, D)`` to ``(N, width)``.
    """

    def __init__(
        self, project: nn.Linear | None, directions: list[OneWay], width: int, emotion_attention: bool
    ) -> None:
        super().__init__()
        self.project, self.directions = project, nn.ModuleList(directions)
        self.attention = MatchingAttention(width, squash=False) if emotion_attention else None

    def forward(self, x_ND: Tensor, speaker_N: Tensor, layout: Layout) -> Tensor:
        """Emotion states, forward then backward, or their mixtures."""
        if self.project is not None:
            x_ND = self.project(x_ND)
        states = []
        for direction, backward in zip(self.directions, (False, True), strict=False):
            order = StepOrder.of(layout, backward=backward)
            states.append(order.unsort(direction(order.sort(x_ND), order.sort(speaker_N), order.counts)))
        emotion_NE = torch.cat(states, dim=-1)
        return emotion_NE if self.attention is None else self.attention(emotion_NE, layout)


class DialogueRNNEncoder(Encoder):
    r"""Track the conversation, each speaker in it, and the emotion.

    At turn :math:`t` with features :math:`u_t` and speaker :math:`s`, all states being zero before the first turn:

    .. math::
        g_t &= \operatorname{GRU}_g([u_t; q_s],\; g_{t-1}) \\
        c_t &= \sum_{i<t} \operatorname{softmax}_i(g_i \cdot A u_t)\, g_i \\
        q_s &\leftarrow \operatorname{GRU}_p([u_t; c_t],\; q_s) \\
        q_j &\leftarrow \operatorname{GRU}_l([u_t; q_s],\; q_j) \quad \text{for } j \ne s \\
        e_t &= \operatorname{GRU}_e(q_s,\; e_{t-1})

    The global state reads the speaker's state before this turn, listeners and emotion the one after it. The history of
    the first turn is empty: :math:`c_1 = 0`. Without ``listener``, the states of those who do not speak stay. The
    backward direction has parameters of its own and starts at each dialogue's own end. With ``emotion_attention``,
    :class:`~ercframe.nn.MatchingAttention` without a tanh replaces each pair of emotion states by a mixture.

    Any number of speakers; those whose speaker is not known share one state. Emits ``Stream("joint", "joint")`` from
    all features side by side, or with ``per_modality`` each modality's own stream; ``(N, emotion_width)`` for each
    direction. With ``project``, :math:`u_t` is a linear map of the features; a modality that is not ``recurrent`` is
    nothing but that, to the width of the others.

    Raises:
        ValueError: ``recurrent`` names a modality that the recipe does not have.

    References:
        Majumder et al. (2019), DialogueRNN: An Attentive RNN for Emotion Detection in Conversations, section 3; their
        BiDialogueRNN, with attention BiDialogueRNN+Att. The released code differs from this class in dropout only: its
        ``dropout`` is 0.15 above what is asked for (0.25 by default, as here), and emotion states are dropped inside
        their recurrence as well. Its one-directional model does not run; here ``bidirectional: false`` does.
    """

    name = "dialogue_rnn"
    causal_help = ("encoder.bidirectional=false", "encoder.emotion_attention=false")
    example_configs = (
        {"global_width": 5, "party_width": 4, "emotion_width": 3},
        {
            "global_width": 5,
            "party_width": 4,
            "emotion_width": 3,
            "listener": True,
            "per_modality": True,
            "project": 7,
            "recurrent": ["text"],
        },
        {
            "global_width": 5,
            "party_width": 4,
            "emotion_width": 3,
            "bidirectional": False,
            "emotion_attention": False,
        },
    )

    class Config(ComponentConfig):
        global_width: int = Field(500, ge=1, description="Width of the global state.")
        party_width: int = Field(500, ge=1, description="Width of each speaker's state.")
        emotion_width: int = Field(300, ge=1, description="Width of each direction's emotion state.")
        listener: bool = Field(False, description="Whether the states of those who do not speak change at a turn.")
        bidirectional: bool = Field(True, description="Whether a second model reads each dialogue from its end.")
        emotion_attention: bool = Field(
            True, description="Replace each emotion state by a mixture of its dialogue's, past and future."
        )
        per_modality: bool = Field(
            False, description="true: a model for each modality. false: one for all features side by side."
        )
        project: int | None = Field(
            None, ge=1, description="Width of a linear map before each model; null feeds it the features themselves."
        )
        recurrent: tuple[str, ...] | None = Field(
            None,
            description="With per_modality, the modalities that get a model; null for all. Others get a linear map to "
            "the same width.",
        )
        recurrent_dropout: float = Field(
            0.1, ge=0, lt=1, description="On new global and speaker states, as the next turn sees them."
        )
        dropout: float = Field(0.25, ge=0, lt=1, description="On the emotion states of each direction.")

        @model_validator(mode="after")
        def _chooses_among_modalities(self) -> "DialogueRNNEncoder.Config":
            if self.recurrent is not None and not self.per_modality:
                raise ValueError("recurrent chooses among models for each modality: it needs per_modality=true")
            return self

    def __init__(self, config: Config, dataset: DatasetInfo) -> None:
        super().__init__()
        inputs = dict(dataset.modalities) if config.per_modality else {"joint": sum(dataset.modalities.values())}
        recurrent = tuple(inputs) if config.recurrent is None else config.recurrent
        if unknown := [m for m in recurrent if m not in inputs]:
            raise ValueError(f"recurrent must name modalities among {', '.join(inputs)} (got {', '.join(unknown)})")
        width = config.emotion_width * (2 if config.bidirectional else 1)
        self.modalities, self.per_modality = tuple(dataset.modalities), config.per_modality
        self.models = nn.ModuleDict(
            {
                name: _conversation(config, inputs[name], width, dataset.speakers + 1)
                for name in dict.fromkeys(recurrent)
            }
        )
        self.linear = nn.ModuleDict({m: nn.Linear(d, width) for m, d in inputs.items() if m not in recurrent})
        self.sees_future = bool(recurrent) and (config.bidirectional or config.emotion_attention)
        self.may_be_idle = {
            name: "where every dialogue has one turn, no later turn reads this state"
            for name, _ in self.named_parameters()
            if ".global_cell." in name or ".listener." in name
        }
        self.spec = StreamSpec({Stream(name, name): width for name in inputs})

    def forward(self, features: Mapping[str, Tensor], context: Context) -> Streams:
        joint = {} if self.per_modality else {"joint": torch.cat([features[m] for m in self.modalities], dim=-1)}
        inputs = joint or features
        return Streams({stream: self._encode(stream.target, inputs, context) for stream in self.spec.widths})

    def _encode(self, name: str, inputs: Mapping[str, Tensor], context: Context) -> Tensor:
        if name in self.models:
            encoded: Tensor = self.models[name](inputs[name], context.speaker, context.layout)
        else:
            encoded = self.linear[name](inputs[name])
        return encoded


def _conversation(config: DialogueRNNEncoder.Config, features: int, width: int, parties: int) -> Conversation:
    project = nn.Linear(features, config.project) if config.project else None
    widths = (config.global_width, config.party_width, config.emotion_width)
    directions = [
        OneWay(config.project or features, widths, parties, config.listener, config.recurrent_dropout, config.dropout)
        for _ in range(2 if config.bidirectional else 1)
    ]
    return Conversation(project, directions, width, config.emotion_attention)


@hookimpl
def ercframe_components() -> list[type[Encoder]]:
    return [DialogueRNNEncoder]
