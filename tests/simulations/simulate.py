"""How often intervals hold the truth and tests raise a false alarm: ``simulate.py [TRIALS [TITLE]]``.

Prints the tables of docs/statistics.md. What is drawn is described in ``conversations_at_random.py``.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from conversations_at_random import Population, expected_score, score_of
from numpy.typing import NDArray
from scipy.stats import norm

from ercframe.statistics.bootstrap import bootstrap, percentile_interval
from ercframe.statistics.confusion import headline
from ercframe.statistics.groups import jackknife_interval
from ercframe.statistics.holm import holm
from ercframe.statistics.mcnemar import mcnemar_over_seeds
from ercframe.statistics.paired import bootstrap_p, randomisation_p
from ercframe.statistics.seeds import mean_over_seeds, seed_weights

# Shape letters: B dialogues, S seeds, C emotions, R resamples.

TRIALS, RESAMPLES = 1000, 1000
SIZES = {31: 52, 120: 52, 280: 9}
"""Test dialogues, and turns of each: IEMOCAP has 31 and 52, MELD 280 and 9."""
SEEDS = 5
RATIOS = {"none": 0.0, "half as large": 0.5, "as large": 1.0, "twice as large": 2.0}
"""The error that dialogues give to a difference, beside the one that seeds give to it."""
ALPHA = 0.05
Rates = dict[str, float]


def weighted_f1(counts_XCC: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weighted F1 of confusion counts."""
    return headline(counts_XCC)[..., 0]


def coverage(dialogues: int, trials: int = TRIALS, seeds: int = SEEDS) -> Rates:
    """How often a 95 % interval of the weighted F1 holds what it is about."""
    population, rng = Population(SIZES[dialogues]), np.random.default_rng(dialogues)
    expected, held = expected_score(population), Counter()
    for trial in range(trials):
        shifts = population.seed * rng.normal(size=seeds)
        split = population.split(rng, dialogues)
        counts_BSCC = split.counts(split.answers(rng, shifts))
        truth = float(np.mean(score_of(population, shifts)))
        drawn_RS = bootstrap(counts_BSCC, weighted_f1, RESAMPLES, trial)
        fixed_R, free_R = (_over_seeds(drawn_RS, trial, drawn) for drawn in (False, True))
        intervals = {
            "these models: percentile, seeds held": (percentile_interval(fixed_R), truth),
            "these models: BCa, seeds held": (bca_interval(fixed_R, counts_BSCC), truth),
            "the recipe: percentile, seeds held": (percentile_interval(fixed_R), expected),
            "the recipe: percentile, seeds drawn": (percentile_interval(free_R), expected),
        }
        held.add({name: low <= true <= high for name, ((low, high), true) in intervals.items()})
    return held.rates()


def false_alarms(dialogues: int, seeds: int, seeds_differ: bool, trials: int = TRIALS) -> Rates:
    """How often a test at 5 % tells two trainings of one recipe apart."""
    population, rng = _population(dialogues, seeds_differ), np.random.default_rng(dialogues)
    alarms = Counter()
    for trial in range(trials):
        split = population.split(rng, dialogues)
        answers = [split.answers(rng, population.seed * rng.normal(size=seeds)) for _ in range(2)]
        first, second = map(split.counts, answers)
        drawn_RS = _differences(first, second, trial)
        p = {
            "bootstrap, seeds drawn": bootstrap_p(_over_seeds(drawn_RS, trial, True)),
            "bootstrap, seeds held": bootstrap_p(_over_seeds(drawn_RS, trial, False)),
            "randomisation": randomisation_p(first, second, lambda x: weighted_f1(x).mean(axis=1), RESAMPLES, trial),
            "McNemar": mcnemar_over_seeds(*(found == split.label for found in answers)),
        }
        alarms.add({name: value < ALPHA for name, value in p.items()})
    return alarms.rates()


def any_false_alarm(dialogues: int, runs: int = 4, trials: int = TRIALS) -> Rates:
    """How often any of several runs differs from the baseline, all of one recipe, as it is and after Holm."""
    population, rng = _population(dialogues, seeds_differ=True), np.random.default_rng(dialogues)
    alarms = Counter()
    for trial in range(trials):
        split = population.split(rng, dialogues)
        base, *others = (
            split.counts(split.answers(rng, population.seed * rng.normal(size=SEEDS))) for _ in range(runs + 1)
        )
        p = []
        for counts in others:
            drawn_RS = _differences(counts, base, trial)
            p.append(bootstrap_p(_over_seeds(drawn_RS, trial, True)))
        alarms.add({"uncorrected": min(p) < ALPHA, "Holm": min(holm(p)) < ALPHA})
    return alarms.rates()


def seeds_alone(seeds: int, dialogues_by_seeds: float, trials: int = TRIALS) -> float:
    """How often the bootstrap, seeds drawn, tells equal recipes apart, on a normal scale without conversations.

    Args:
        seeds: of each.
        dialogues_by_seeds: the standard error that dialogues give to the difference, by that which seeds give to it; 0
            where so many dialogues are scored that only seeds are left to chance.
        trials: how many pairs of recipes.
    """
    rng, alarms = np.random.default_rng(seeds), 0
    for trial in range(trials):
        other_dialogues = dialogues_by_seeds / np.sqrt(seeds) * rng.normal(size=RESAMPLES + 1)
        difference_S = rng.normal(size=seeds) + other_dialogues[0]
        drawn_R = seed_weights(seeds, RESAMPLES, trial) @ difference_S + other_dialogues[1:]
        alarms += bootstrap_p(drawn_R) < ALPHA
    return alarms / trials


def coverage_of_folds(groups: int, differ: float, trials: int = TRIALS, seeds: int = SEEDS) -> Rates:
    """How often a 95 % interval of a cross-validation, of all dialogues together, holds what other groups would give.

    Args:
        groups: left out one after the other, of thirty dialogues each; five as on IEMOCAP.
        differ: by how much the groups do, as a seed does in :class:`Population`: 0.1 is three points.
        trials: how many corpora.
        seeds: of each fold.
    """
    population, rng, held = Population(SIZES[31]), np.random.default_rng(groups), Counter()
    every = sum(_fold(population, rng, 5, differ, 1) for _ in range(4000))
    truth = float(weighted_f1(every.sum(axis=(0, 1))))
    for trial in range(trials):
        counts_GBSCC = np.stack([_fold(population, rng, 30, differ, seeds) for _ in range(groups)])
        counts_GSCC = counts_GBSCC.sum(axis=1)
        drawn_RS = bootstrap(counts_GBSCC.reshape(-1, *counts_GBSCC.shape[2:]), weighted_f1, RESAMPLES, trial)
        (low,), (high,) = jackknife_interval(
            counts_GSCC, lambda counts: weighted_f1(counts).mean(axis=-1, keepdims=True)
        )
        intervals = {
            "over dialogues": percentile_interval(_over_seeds(drawn_RS, trial, True)),
            "over groups": (low, high),
            "percentiles of groups": percentile_interval(bootstrap(counts_GSCC, weighted_f1, RESAMPLES).mean(axis=1)),
        }
        held.add({name: low <= truth <= high for name, (low, high) in intervals.items()})
    return held.rates()


def _fold(
    population: Population, rng: np.random.Generator, dialogues: int, differ: float, seeds: int
) -> NDArray[np.int64]:
    """Confusion counts of a group's dialogues, ``(B, S, C, C)``, by models of its own."""
    split = population.split(rng, dialogues)
    return split.counts(split.answers(rng, differ * rng.normal() + population.seed * rng.normal(size=seeds)))


def bca_interval(drawn_R: NDArray[np.float64], counts_BSCC: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bias-corrected and accelerated interval, by the jackknife over dialogues: Efron (1987)."""
    estimate = weighted_f1(counts_BSCC.sum(axis=0)).mean()
    without_B = weighted_f1(counts_BSCC.sum(axis=0) - counts_BSCC).mean(axis=1)
    away_B = without_B.mean() - without_B
    acceleration = (away_B**3).sum() / (6 * (away_B**2).sum() ** 1.5)
    bias = norm.ppf(np.clip(np.mean(drawn_R < estimate), 1 / len(drawn_R), 1 - 1 / len(drawn_R)))
    z = bias + norm.ppf([0.025, 0.975])
    return np.quantile(drawn_R, norm.cdf(bias + z / (1 - acceleration * z)))


class Counter:
    """How often each of several things happened."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, bool]] = []

    def add(self, row: Mapping[str, bool]) -> None:
        self.rows.append(row)

    def rates(self) -> Rates:
        return {name: float(np.mean([row[name] for row in self.rows])) for name in self.rows[0]}


def _population(dialogues: int, seeds_differ: bool) -> Population:
    population = Population(SIZES[dialogues])
    return population if seeds_differ else replace(population, seed=0.0)


def _differences(first: NDArray[np.int64], second: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Of each resample and seed, ``(R, S)``."""
    return bootstrap(first, weighted_f1, RESAMPLES, seed) - bootstrap(second, weighted_f1, RESAMPLES, seed)


def _over_seeds(drawn_RS: NDArray[np.float64], seed: int, drawn: bool) -> NDArray[np.float64]:
    weights = seed_weights(drawn_RS.shape[1], len(drawn_RS), seed, drawn)
    return mean_over_seeds(drawn_RS[:, :, None], weights)[:, 0]


def _lines(heads: tuple[str, ...], rows: Iterator[tuple[str, Rates]]) -> Iterator[str]:
    for i, (name, rates) in enumerate(rows):
        if not i:
            yield f"| {' | '.join([*heads, *rates])} |"
            yield f"|{'---|' * (len(heads) + len(rates))}"
        yield f"| {name} | {' | '.join(f'{100 * rate:.1f}' for rate in rates.values())} |"


def main(trials: int = TRIALS, only: str = "") -> None:
    """Print every table, or those whose titles begin with ``only``, in percent."""
    print(f"{trials} trials, {RESAMPLES} resamples each; in percent")
    tables = {
        f"Coverage, {SEEDS} seeds": (("dialogues",), ((str(n), coverage(n, trials)) for n in SIZES)),
        "False alarms at 5 %": (
            ("dialogues", "seeds", "seeds differ"),
            (
                (f"{n} | {seeds} | {'yes' if differ else 'no'}", false_alarms(n, seeds, differ, trials))
                for n in SIZES
                for seeds in (1, SEEDS)
                for differ in (False, True)
            ),
        ),
        "Any false alarm, 4 runs against a baseline": (
            ("dialogues",),
            ((str(n), any_false_alarm(n, trials=trials)) for n in SIZES),
        ),
        "Folds": (
            ("groups", "they differ by, points"),
            (
                (f"{n} | {round(30 * differ)}", coverage_of_folds(n, differ, trials))
                for n in (5, 10)
                for differ in (0.0, 0.1, 0.2)
            ),
        ),
        "Few seeds": (
            ("seeds",),
            ((str(s), {name: seeds_alone(s, r, trials) for name, r in RATIOS.items()}) for s in (2, 3, 4, 5, 10, 20)),
        ),
    }
    for title, (heads, rows) in tables.items():
        if not title.startswith(only):
            continue
        print(f"\n**{title}**\n")
        for line in _lines(heads, rows):
            print(line, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:])
