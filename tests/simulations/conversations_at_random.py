"""Test splits and models drawn from a population whose true scores are known, with turns of a dialogue alike."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ercframe.statistics.confusion import confusion_by, headline

# Shape letters: B dialogues, N turns, S seeds, C emotions.

SHARES = np.array([0.09, 0.15, 0.24, 0.10, 0.18, 0.24])
"""Of the emotions; about those of IEMOCAP's test split."""
MAKEUP = 6.0
"""Concentration of the emotions of a dialogue around :data:`SHARES`: small makes dialogues of one emotion."""
EASE = np.array([-0.1, 0.7, 0.4, 0.5, 0.4, 0.3])
"""Of each emotion: where a model stands on average before it answers rightly, in deviations."""
ERRORS = np.array(
    [
        [0, 1, 2, 0, 6, 1],
        [1, 0, 4, 1, 0, 4],
        [1, 2, 0, 1, 1, 5],
        [0, 1, 1, 0, 1, 7],
        [6, 0, 2, 1, 0, 1],
        [1, 2, 4, 3, 0, 0],
    ]
)
"""What an emotion is mistaken for, in tenths; rows are labels."""


@dataclass(frozen=True)
class Population:
    """What varies, as deviations of what decides whether an answer is right.

    Attributes:
        turns: mean number of turns of a dialogue.
        dialogue: some dialogues are easier than others, for every model.
        recipe: a recipe is better at some dialogues, with every seed.
        seed: some seeds are better than others, everywhere.
        seed_dialogue: a seed is better at some dialogues.
        turn: some turns are easier, for every model.
        chance: whatever else.
    """

    turns: int
    dialogue: float = 0.35
    recipe: float = 0.25
    seed: float = 0.05
    seed_dialogue: float = 0.15
    turn: float = 1.0
    chance: float = 0.6

    def split(self, rng: np.random.Generator, dialogues: int) -> "Split":
        """Draw the dialogues of a test split."""
        sizes = 1 + rng.poisson(self.turns - 1, size=dialogues)
        dialogue = np.repeat(np.arange(dialogues), sizes)
        makeup = np.cumsum(rng.dirichlet(MAKEUP * SHARES, size=dialogues), axis=1)[dialogue]
        label = (rng.random((len(dialogue), 1)) > makeup).sum(axis=1).clip(0, len(SHARES) - 1)
        ease = self.dialogue * rng.normal(size=dialogues)[dialogue] + self.turn * rng.normal(size=len(dialogue))
        return Split(self, dialogues, dialogue, label, EASE[label] + ease)


@dataclass(frozen=True)
class Split:
    """Dialogues of a population: the dialogue and label of each turn, and how easy it is."""

    population: Population
    dialogues: int
    dialogue: NDArray[np.intp]
    label: NDArray[np.intp]
    ease: NDArray[np.float64]

    def answers(self, rng: np.random.Generator, shifts: NDArray[np.float64]) -> NDArray[np.intp]:
        """What the seeds of a recipe predict, ``(S, N)``; ``shifts`` is how good each seed is, ``(S,)``."""
        p, seeds = self.population, len(shifts)
        by_dialogue = p.recipe * rng.normal(size=self.dialogues)
        by_dialogue = by_dialogue + p.seed_dialogue * rng.normal(size=(seeds, self.dialogues))
        chance = p.chance * rng.normal(size=(seeds, len(self.label)))
        right = self.ease + shifts[:, None] + by_dialogue[:, self.dialogue] + chance > 0
        mistakes = np.cumsum(ERRORS / ERRORS.sum(axis=1, keepdims=True), axis=1)[self.label]
        wrong = (rng.random((len(self.label), 1)) > mistakes).sum(axis=1).clip(0, len(SHARES) - 1)
        return np.where(right, self.label, wrong)

    def counts(self, answers: NDArray[np.intp]) -> NDArray[np.int64]:
        """Confusion counts of each dialogue and seed, ``(B, S, C, C)``."""
        shape = (self.dialogues, len(SHARES))
        return np.stack([confusion_by(self.dialogue, self.label, row, shape) for row in answers], axis=1)


@cache
def _scores_by_shift(population: Population, dialogues: int = 20_000) -> tuple[NDArray[np.float64], ...]:
    """Weighted F1 on very many dialogues of models that are better or worse by a shift: shifts and scores."""
    split = population.split(np.random.default_rng(0), dialogues)
    shifts = np.linspace(-5, 5, 11) * population.seed
    scores = []
    for shift in shifts:
        answers = split.answers(np.random.default_rng(1), np.array([shift]))
        counts = confusion_by(np.zeros_like(split.label), split.label, answers[0], (1, len(SHARES)))
        scores.append(headline(counts[0])[0])
    return shifts, np.array(scores)


def score_of(population: Population, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The true weighted F1 of models, ``(S,)``."""
    return np.interp(shifts, *_scores_by_shift(population))


def expected_score(population: Population) -> float:
    """The true weighted F1 that training a recipe leads to on average over its seeds."""
    return float(np.mean(score_of(population, population.seed * np.random.default_rng(2).normal(size=200_000))))
