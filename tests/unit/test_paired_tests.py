"""Tests between runs: published examples, properties, and the same numbers as SciPy where it has them."""

import numpy as np
import pytest
from scipy import stats

from ercframe.statistics.bootstrap import bootstrap, percentile_interval
from ercframe.statistics.holm import holm
from ercframe.statistics.mcnemar import mcnemar, mcnemar_over_seeds
from ercframe.statistics.paired import bootstrap_p, randomisation_p
from ercframe.statistics.seeds import mean_over_seeds, seed_weights

# Hours of sleep that two drugs added for ten patients: Student (1908), after Cushny and Peebles.
DRUG_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
DRUG_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def mean(sums):
    """Mean of values, from sums of values and numbers of values."""
    return sums[..., 0] / sums[..., 1]


def counted(values):
    return np.stack([values, np.ones_like(values)], axis=1)


class TestHolm:
    def test_the_worked_example(self):
        # 0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04 · 1, which may not be below the one before
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])

    def test_nothing_is_above_one_and_one_test_is_left_alone(self):
        assert holm([0.9, 0.8]) == [1.0, 1.0]
        assert holm([0.03]) == [0.03]
        assert holm([]) == []

    def test_it_rejects_what_the_stepwise_procedure_rejects(self):
        rng = np.random.default_rng(0)
        for _ in range(200):
            p = rng.random(5) ** 3
            rejected, order = set(), np.argsort(p)
            for step, i in enumerate(order):
                if p[i] > 0.05 / (5 - step):
                    break
                rejected.add(int(i))
            assert {i for i, q in enumerate(holm(list(p))) if q <= 0.05} == rejected

    def test_the_family_wise_error_is_at_most_alpha(self):
        rng = np.random.default_rng(1)
        shared = rng.normal(size=(4000, 1))  # tests against one baseline depend on each other
        p = 2 * stats.norm.sf(np.abs(0.7 * shared + np.sqrt(0.51) * rng.normal(size=(4000, 4))))
        assert np.mean([min(holm(list(row))) < 0.05 for row in p]) < 0.06


class TestMcNemar:
    def test_a_published_example(self):
        # Agresti, Categorical data analysis: of 1,600, 150 and 86 changed their approval; z = 4.17
        assert mcnemar(150, 86) == pytest.approx(2 * stats.norm.sf((150 - 86) / np.sqrt(150 + 86)), rel=0.25)

    def test_counted_by_hand(self):
        assert mcnemar(5, 1) == pytest.approx(2 * (1 + 6) / 64)
        assert mcnemar(1, 5) == mcnemar(5, 1)
        assert mcnemar(3, 3) == 1.0
        assert mcnemar(0, 0) == 1.0

    def test_seeds_are_not_added_up(self):
        first = np.array([[True] * 5 + [False]])
        second = ~first
        assert mcnemar_over_seeds(first, second) == mcnemar(5, 1)
        twice = mcnemar_over_seeds(first.repeat(2, axis=0), second.repeat(2, axis=0))
        assert twice == pytest.approx(2 * mcnemar(5, 1))
        assert mcnemar_over_seeds(first[:, 4:].repeat(2, axis=0), second[:, 4:].repeat(2, axis=0)) == 1.0


class TestRandomisation:
    def test_it_is_the_exact_permutation_test_of_scipy(self):
        def difference(x, y, axis):
            return np.mean(x - y, axis=axis)

        exact = stats.permutation_test(
            (DRUG_1, DRUG_2), difference, permutation_type="samples", n_resamples=np.inf
        ).pvalue
        found = randomisation_p(counted(DRUG_1), counted(DRUG_2), mean, resamples=40_000)
        assert found == pytest.approx(exact, abs=5 * np.sqrt(exact / 40_000))

    def test_equal_answers_are_never_different(self):
        assert randomisation_p(counted(DRUG_1), counted(DRUG_1), mean, resamples=99) == 1.0

    def test_it_does_not_matter_who_is_first(self):
        there = randomisation_p(counted(DRUG_1), counted(DRUG_2), mean, resamples=999)
        assert there == randomisation_p(counted(DRUG_2), counted(DRUG_1), mean, resamples=999)

    def test_whole_dialogues_change_sides(self):
        # one dialogue decides everything: as often as not it changes sides, and that is as extreme
        first, second = np.array([[90, 100], [1, 2]]), np.array([[10, 100], [1, 2]])
        assert randomisation_p(first, second, mean, resamples=999) == 1.0

    def test_chunks_are_not_seen(self, monkeypatch):
        whole = randomisation_p(counted(DRUG_1), counted(DRUG_2), mean, resamples=999)
        monkeypatch.setattr("ercframe.statistics.paired._AT_A_TIME", 70)
        assert randomisation_p(counted(DRUG_1), counted(DRUG_2), mean, resamples=999) == whole


class TestPairedBootstrap:
    def test_it_is_near_the_t_test_where_that_is_right(self):
        rng = np.random.default_rng(3)
        first = rng.normal(size=200)
        second = first + rng.normal(0.12, 1, size=200)
        drawn = bootstrap(counted(second), mean) - bootstrap(counted(first), mean)
        expected = stats.ttest_rel(second, first).pvalue
        assert bootstrap_p(drawn) == pytest.approx(expected, abs=0.02)

    def test_it_says_what_the_interval_says(self):
        drawn = np.random.default_rng(4).normal(1, 1, size=9999)
        assert bootstrap_p(drawn - np.quantile(drawn, 0.026)) > 0.05
        assert bootstrap_p(drawn - np.quantile(drawn, 0.024)) < 0.05

    def test_counted_by_hand(self):
        drawn = np.array([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
        assert bootstrap_p(drawn) == pytest.approx(2 * (1 + 2) / (1 + 7))
        assert bootstrap_p(-drawn) == bootstrap_p(drawn)

    def test_no_difference_is_never_one(self):
        assert bootstrap_p(np.zeros(10)) == 1.0


class TestSeeds:
    @pytest.mark.parametrize("count", [2, 3, 5])
    def test_the_interval_of_drawn_seeds_alone_is_that_of_students_t(self, count):
        scores = np.array([0.61, 0.64, 0.62, 0.67, 0.66])[:count]
        weights = seed_weights(count, 200_000, seed=0)
        assert weights.sum(axis=1) == pytest.approx(1)
        drawn = mean_over_seeds(np.broadcast_to(scores[None, :, None], (200_000, count, 1)), weights)[:, 0]
        for level in (0.5, 0.95):
            expected = stats.t.interval(level, count - 1, scores.mean(), stats.sem(scores))
            assert percentile_interval(drawn[:, None], level)[:, 0] == pytest.approx(expected, rel=0.02)

    def test_held_seeds_have_equal_shares(self):
        assert set(seed_weights(4, 3, seed=0, drawn=False).ravel()) == {0.25}
        assert set(seed_weights(1, 3, seed=0).ravel()) == {1.0}

    def test_the_same_seeds_are_drawn_for_runs_with_as_many(self):
        assert np.array_equal(seed_weights(5, 100, seed=1), seed_weights(5, 100, seed=1))
        assert not np.array_equal(seed_weights(5, 100, seed=1), seed_weights(5, 100, seed=2))
