"""A hidden Markov model of the emotions in a conversation, and the exact posterior of every utterance's emotion."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ercframe import Layout

# Shape letters: B dialogues, L longest dialogue, N utterances, S speakers, C emotions, J joint states (C to the S).


class EmotionChain:
    r"""How the emotions of the speakers move from turn to turn.

    The hidden state is what every speaker feels, :math:`e = (e^1, \dots, e^S)`: one of :math:`J = C^S` joint states.
    At a turn of speaker :math:`s` only :math:`e^s` moves. It stays with probability :math:`\rho`, becomes the emotion
    of another speaker, each as likely, with probability :math:`\lambda`, and is drawn anew otherwise:

    .. math::

        P(e^s \to k \mid e) = \rho\,[e^s = k] + \frac{\lambda}{S - 1} \sum_{r \neq s} [e^r = k]
            + \frac{1 - \rho - \lambda}{C}

    A lone speaker is pulled by nobody: that share, too, is drawn anew. A conversation starts from the uniform
    distribution. No emotion is preferred, so every utterance's emotion is uniform, too, before anything is observed.

    Args:
        labels: number of emotions, C.
        speakers: number of speakers, S.
        persistence: :math:`\rho`.
        pull: :math:`\lambda`; the sum of both must not exceed 1.

    Attributes:
        emotion: what each speaker feels in each joint state, ``(S, J)``.
        move: probability of the next joint state (last axis) when a speaker (first axis) has the turn,
            ``(S, J, J)`` float64.
    """

    def __init__(self, labels: int, speakers: int, persistence: float, pull: float) -> None:
        self.labels, self.speakers = labels, speakers
        self.emotion = torch.tensor(list(itertools.product(range(labels), repeat=speakers))).T.contiguous()
        self.move = torch.stack([self._move(s, persistence, pull) for s in range(speakers)])

    def _move(self, s: int, persistence: float, pull: float) -> Tensor:
        own_JC = one_hot(self.emotion[s], self.labels).double()
        others_JC = one_hot(self.emotion, self.labels).sum(dim=0) - own_JC
        kept_JC = persistence * own_JC + pull * others_JC / max(self.speakers - 1, 1)
        next_JC = kept_JC + (1 - kept_JC.sum(dim=1, keepdim=True)) / self.labels
        others_SJ = self.emotion[torch.arange(self.speakers) != s]
        only_s_moves_JJ = (others_SJ[:, :, None] == others_SJ[:, None, :]).all(dim=0)
        return next_JC[:, self.emotion[s]] * only_s_moves_JJ

    def draw(self, speaker_BL: Tensor, generator: torch.Generator) -> Tensor:
        """Draw what the one who speaks feels at every turn, ``(B, L)``, given who speaks, ``(B, L)``."""
        state_B = torch.randint(self.emotion.shape[1], speaker_BL.shape[:1], generator=generator)
        drawn = []
        for speaker_B in speaker_BL.unbind(dim=1):
            state_B = torch.multinomial(self.move[speaker_B, state_B], 1, generator=generator).squeeze(1)
            drawn.append(self.emotion[speaker_B, state_B])
        return torch.stack(drawn, dim=1)

    def posterior(self, evidence_NC: Tensor, speaker_N: Tensor, layout: Layout, *, future: bool = True) -> Tensor:
        r"""Probability of each emotion at each utterance, given what its dialogue shows, ``(N, C)`` float64.

        The forward–backward algorithm, its messages scaled to sum to 1:

        .. math::

            \alpha_t \propto (\alpha_{t-1} M_{s_t}) \odot b_t, \qquad
            \beta_{t-1} \propto M_{s_t} (b_t \odot \beta_t), \qquad
            P(e_t^{s_t} = k \mid x_1, \dots, x_L) \propto \sum_{j:\, e^{s_t}(j) = k} \alpha_t(j)\, \beta_t(j)

        where :math:`M_s` is ``move[s]`` and :math:`b_t(j)` the likelihood of turn :math:`t` under what its speaker
        feels in joint state :math:`j`.

        Args:
            evidence_NC: log density of each utterance's features under each emotion, up to a constant per row; float64.
            speaker_N: who speaks.
            layout: which utterances make a dialogue.
            future: whether later turns are seen, too; without them this is the filtering posterior.

        References:
            Rabiner (1989), "A Tutorial on Hidden Markov Models and Selected Applications in Speech Recognition",
            sections III.A, III.B and V.A.
        """
        nobody = self.speakers
        speaker_BL = layout.to_padded(speaker_N).masked_fill(~layout.mask, nobody)
        feels_NJ = self.emotion[speaker_N]
        seen_NJ = (evidence_NC - evidence_NC.amax(dim=1, keepdim=True)).exp().gather(1, feels_NJ)
        seen_BLJ = layout.to_padded(seen_NJ).masked_fill(~layout.mask[..., None], 1.0)
        joint_BLJ = self._forward(speaker_BL, seen_BLJ)
        if future:
            joint_BLJ = joint_BLJ * self._backward(speaker_BL, seen_BLJ)
        joint_NJ = layout.from_padded(joint_BLJ)
        emotion_NC = torch.zeros_like(evidence_NC).scatter_add(1, feels_NJ, joint_NJ)
        return emotion_NC / emotion_NC.sum(dim=1, keepdim=True)

    def _forward(self, speaker_BL: Tensor, seen_BLJ: Tensor) -> Tensor:
        message_BJ, messages = torch.ones_like(seen_BLJ[:, 0]), []
        for t in range(speaker_BL.shape[1]):
            message_BJ = _scaled(_through(message_BJ, self.move, speaker_BL[:, t]) * seen_BLJ[:, t])
            messages.append(message_BJ)
        return torch.stack(messages, dim=1)

    def _backward(self, speaker_BL: Tensor, seen_BLJ: Tensor) -> Tensor:
        message_BJ, messages = torch.ones_like(seen_BLJ[:, 0]), []
        for t in reversed(range(speaker_BL.shape[1])):
            messages.append(message_BJ)
            message_BJ = _scaled(_through(message_BJ * seen_BLJ[:, t], self.move.mT, speaker_BL[:, t]))
        return torch.stack(messages[::-1], dim=1)


def _through(message_BJ: Tensor, move_SJJ: Tensor, speaker_B: Tensor) -> Tensor:
    """Each row times its speaker's matrix; where nobody speaks, after a dialogue's end, the row stays."""
    moved_BJ = message_BJ.clone()
    for s, move_JJ in enumerate(move_SJJ):
        rows = speaker_B == s
        moved_BJ[rows] = message_BJ[rows] @ move_JJ
    return moved_BJ


def _scaled(message_BJ: Tensor) -> Tensor:
    return message_BJ / message_BJ.sum(dim=1, keepdim=True)
