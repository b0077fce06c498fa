"""The exact posterior, against adding up every path that the emotions could have taken."""

import itertools
import math

import pytest
import torch

from ercframe import Layout
from ercframe_plugins.datasets.hidden_markov import EmotionChain

# Shape letters: B dialogues, L turns, N utterances, C emotions, J joint states.

PERSISTENCE, PULL = 0.6, 0.3


def step(labels: int, felt: tuple[int, ...], speaker: int, to: int) -> float:
    """Probability that the speaker's emotion becomes ``to``, straight from the words of the model."""
    others = [e for s, e in enumerate(felt) if s != speaker]
    pulled = PULL * others.count(to) / len(others) if others else 0.0
    anew = 1 - PERSISTENCE - (PULL if others else 0.0)
    return PERSISTENCE * (felt[speaker] == to) + pulled + anew / labels


def enumerated(labels: int, speakers: int, who: list[int], evidence: list[list[float]]) -> torch.Tensor:
    """Posterior of each turn's emotion, ``(L, C)``, by visiting every start and every sequence of emotions."""
    found = torch.zeros(len(who), labels, dtype=torch.float64)
    for start in itertools.product(range(labels), repeat=speakers):
        for emotions in itertools.product(range(labels), repeat=len(who)):
            felt, weight = list(start), 1.0
            for turn, (speaker, to) in enumerate(zip(who, emotions, strict=True)):
                weight *= step(labels, tuple(felt), speaker, to) * math.exp(evidence[turn][to])
                felt[speaker] = to
            for turn, to in enumerate(emotions):
                found[turn, to] += weight
    return found / found.sum(dim=1, keepdim=True)


@pytest.mark.parametrize(
    ("labels", "speakers", "turns"), [(3, 2, (4, 1, 3)), (3, 1, (4, 2)), (2, 3, (5, 3)), (3, 3, (3,))]
)
def test_the_posterior_equals_the_sum_over_all_paths(labels, speakers, turns):
    generator = torch.Generator().manual_seed(labels * speakers)
    layout = Layout.from_lengths(turns)
    speaker_N = torch.randint(speakers, (layout.utterances,), generator=generator)
    evidence_NC = 2 * torch.randn(layout.utterances, labels, generator=generator, dtype=torch.float64)
    chain = EmotionChain(labels, speakers, PERSISTENCE, PULL)
    expected = [
        enumerated(labels, speakers, who.tolist(), seen.tolist())
        for who, seen in zip(speaker_N.split(turns), evidence_NC.split(turns), strict=True)
    ]
    torch.testing.assert_close(chain.posterior(evidence_NC, speaker_N, layout), torch.cat(expected))


@pytest.mark.parametrize("speakers", [1, 2, 3])
def test_without_the_future_a_turn_is_judged_by_the_dialogue_up_to_it(speakers):
    layout = Layout.from_lengths([4])
    who, evidence_NC = torch.arange(4) % speakers, torch.randn(4, 2, dtype=torch.float64)
    found_NC = EmotionChain(2, speakers, PERSISTENCE, PULL).posterior(evidence_NC, who, layout, future=False)
    for turn in range(4):
        heard = enumerated(2, speakers, who[: turn + 1].tolist(), evidence_NC[: turn + 1].tolist())
        torch.testing.assert_close(found_NC[turn], heard[turn])


def test_dialogues_do_not_know_of_each_other():
    chain, evidence_NC = EmotionChain(3, 2, PERSISTENCE, PULL), torch.randn(7, 3, dtype=torch.float64)
    speaker_N = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    together_NC = chain.posterior(evidence_NC, speaker_N, Layout.from_lengths([5, 2]))
    torch.testing.assert_close(
        together_NC[5:], chain.posterior(evidence_NC[5:], speaker_N[5:], Layout.from_lengths([2]))
    )


def test_nothing_seen_leaves_every_emotion_as_likely():
    posterior_NC = EmotionChain(4, 2, 0.7, 0.2).posterior(
        torch.zeros(5, 4, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1]), Layout.from_lengths([5])
    )
    torch.testing.assert_close(posterior_NC, torch.full((5, 4), 0.25, dtype=torch.float64))


@pytest.mark.parametrize("speakers", [1, 2, 3])
def test_only_the_one_who_speaks_can_feel_differently_afterwards(speakers):
    chain = EmotionChain(3, speakers, 0.5, 0.2)
    states = 3**speakers
    for s in range(speakers):
        move_JJ = chain.forward(torch.eye(states, dtype=torch.float64), torch.full((states,), s))
        torch.testing.assert_close(move_JJ.sum(dim=1), torch.ones(states, dtype=torch.float64))
        before, after = move_JJ.nonzero().unbind(dim=1)
        changed = (chain.emotion[:, before] != chain.emotion[:, after]).any(dim=1)
        assert changed.nonzero().flatten().tolist() == [s]


def test_a_fully_persistent_speaker_never_changes():
    who = torch.randint(2, (50, 12))
    felt = EmotionChain(5, 2, 1.0, 0.0).draw(who, torch.Generator().manual_seed(0))
    for s in (0, 1):
        own = [row[speaker == s].unique() for row, speaker in zip(felt, who, strict=True)]
        assert max(len(emotions) for emotions in own) == 1


def test_a_fully_pulled_speaker_feels_what_the_other_felt():
    who = torch.arange(10).remainder(2).expand(50, 10)
    felt = EmotionChain(5, 2, 0.0, 1.0).draw(who, torch.Generator().manual_seed(0))
    assert torch.equal(felt, felt[:, :1].expand_as(felt))
    assert len(felt.unique()) == 5


def test_drawn_emotions_move_as_the_chain_says():
    felt = EmotionChain(4, 1, 0.6, 0.0).draw(torch.zeros(4000, 6, dtype=torch.long), torch.Generator().manual_seed(0))
    stays = (felt[:, 1:] == felt[:, :-1]).double().mean().item()
    assert stays == pytest.approx(0.6 + 0.4 / 4, abs=0.02)
    torch.testing.assert_close(felt.flatten().bincount() / felt.numel(), torch.full((4,), 0.25), atol=0.02, rtol=0)


def test_overwhelming_evidence_stays_finite():
    evidence_NC = torch.tensor([[0.0, -400.0], [-400.0, 0.0]], dtype=torch.float64).repeat(100, 1)
    chain, layout = EmotionChain(2, 1, 0.99, 0.0), Layout.from_lengths([200])
    posterior_NC = chain.posterior(evidence_NC, torch.zeros(200, dtype=torch.long), layout)
    assert torch.equal(posterior_NC.argmax(dim=1), torch.arange(200) % 2)
