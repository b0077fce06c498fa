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

    Beliefs are distributions over the joint states, ``(B, J)`` float64. Only a sum over one speaker's emotions is
    needed to move them, never a matrix of J times J.

    Args:
        labels: number of emotions, C.
        speakers: number of speakers, S.
        persistence: :math:`\rho`.
        pull: :math:`\lambda`; the sum of both must not exceed 1.

    Attributes:
        emotion: what each speaker feels in each joint state, ``(S, J)``.
    """

    def __init__(self, labels: int, speakers: int, persistence: float, pull: float) -> None:
        self.labels, self.speakers, self.persistence = labels, speakers, persistence
        self.emotion = torch.tensor(list(itertools.product(range(labels), repeat=speakers))).T.contiguous()
        pull = pull if speakers > 1 else 0.0
        like_others_SJ = (self.emotion[:, None] == self.emotion[None, :]).sum(dim=1).double() - 1
        anew = max(0.0, 1 - persistence - pull)  # 1 - 0.9 - 0.1 is below zero in floating point
        self._enter_SJ = pull * like_others_SJ / max(speakers - 1, 1) + anew / labels

    def forward(self, belief_BJ: Tensor, speaker_B: Tensor) -> Tensor:
        """The belief after a turn of these speakers, of which nothing is seen yet; id S: nobody speaks."""
        moved_BJ = belief_BJ.clone()
        for s in range(self.speakers):
            rows = speaker_B == s
            left_BJ = self._summed(belief_BJ[rows], s)
            moved_BJ[rows] = self.persistence * belief_BJ[rows] + self._enter_SJ[s] * left_BJ
        return moved_BJ

    def backward(self, message_BJ: Tensor, speaker_B: Tensor) -> Tensor:
        """The transpose of :meth:`forward`: how likely what follows a turn is, given the state before it."""
        moved_BJ = message_BJ.clone()
        for s in range(self.speakers):
            rows = speaker_B == s
            entered_BJ = self._summed(self._enter_SJ[s] * message_BJ[rows], s)
            moved_BJ[rows] = self.persistence * message_BJ[rows] + entered_BJ
        return moved_BJ

    def _summed(self, x_BJ: Tensor, s: int) -> Tensor:
        """Each entry replaced by the sum over all emotions that speaker ``s`` could have in its place."""
        by_emotion = x_BJ.view(len(x_BJ), self.labels**s, self.labels, self.labels ** (self.speakers - 1 - s))
        return by_emotion.sum(dim=2, keepdim=True).expand_as(by_emotion).reshape(x_BJ.shape)

    def draw(self, speaker_BL: Tensor, generator: torch.Generator) -> Tensor:
        """Draw what the one who speaks feels at every turn, ``(B, L)``, given who speaks, ``(B, L)``."""
        states = self.emotion.shape[1]
        state_B = torch.randint(states, speaker_BL.shape[:1], generator=generator)
        drawn = []
        for speaker_B in speaker_BL.unbind(dim=1):
            belief_BJ = self.forward(one_hot(state_B, states).double(), speaker_B)
            state_B = torch.multinomial(belief_BJ, 1, generator=generator).squeeze(1)
            drawn.append(self.emotion[speaker_B, state_B])
        return torch.stack(drawn, dim=1)

    def posterior(self, evidence_NC: Tensor, speaker_N: Tensor, layout: Layout, *, future: bool = True) -> Tensor:
        r"""Probability of each emotion at each utterance, given what its dialogue shows, ``(N, C)`` float64.

        The forward–backward algorithm, its messages scaled to sum to 1:

        .. math::

            \alpha_t \propto (\alpha_{t-1} M_{s_t}) \odot b_t, \qquad
            \beta_{t-1} \propto M_{s_t} (b_t \odot \beta_t), \qquad
            P(e_t^{s_t} = k \mid x_1, \dots, x_L) \propto \sum_{j:\, e^{s_t}(j) = k} \alpha_t(j)\, \beta_t(j)

        where :math:`M_s` moves the emotion of speaker :math:`s` (:meth:`forward`, :meth:`backward`) and :math:`b_t(j)`
        is the likelihood of turn :math:`t` under what its speaker feels in joint state :math:`j`.

        Args:
            evidence_NC: log density of each utterance's features under each emotion, up to a constant per row; float64.
            speaker_N: who speaks.
            layout: which utterances make a dialogue.
            future: whether later turns are seen, too; without them this is the filtering posterior.

        References:
            Rabiner (1989), "A Tutorial on Hidden Markov Models and Selected Applications in Speech Recognition",
            sections III.A, III.B and V.A.
        """
        speaker_BL = layout.to_padded(speaker_N).masked_fill(~layout.mask, self.speakers)
        feels_NJ = self.emotion[speaker_N]
        seen_NJ = (evidence_NC - evidence_NC.amax(dim=1, keepdim=True)).exp().gather(1, feels_NJ)
        seen_BLJ = layout.to_padded(seen_NJ).masked_fill(~layout.mask[..., None], 1.0)
        joint_BLJ = self._alphas(speaker_BL, seen_BLJ)
        if future:
            joint_BLJ = joint_BLJ * self._betas(speaker_BL, seen_BLJ)
        emotion_NC = torch.zeros_like(evidence_NC).scatter_add(1, feels_NJ, layout.from_padded(joint_BLJ))
        return emotion_NC / emotion_NC.sum(dim=1, keepdim=True)

    def _alphas(self, speaker_BL: Tensor, seen_BLJ: Tensor) -> Tensor:
        alpha_BJ, alphas = _scaled(torch.ones_like(seen_BLJ[:, 0])), []
        for t in range(speaker_BL.shape[1]):
            alpha_BJ = _scaled(self.forward(alpha_BJ, speaker_BL[:, t]) * seen_BLJ[:, t])
            alphas.append(alpha_BJ)
        return torch.stack(alphas, dim=1)

    def _betas(self, speaker_BL: Tensor, seen_BLJ: Tensor) -> Tensor:
        beta_BJ, betas = _scaled(torch.ones_like(seen_BLJ[:, 0])), []
        for t in reversed(range(speaker_BL.shape[1])):
            betas.append(beta_BJ)
            beta_BJ = _scaled(self.backward(seen_BLJ[:, t] * beta_BJ, speaker_BL[:, t]))
        return torch.stack(betas[::-1], dim=1)


def _scaled(message_BJ: Tensor) -> Tensor:
    """Rows that sum to 1, so that long dialogues do not underflow."""
    return message_BJ / message_BJ.sum(dim=1, keepdim=True)
