"""Bootstrap over dialogues, and scores of confusion counts."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from ercframe.metrics import HEADLINE as OUR_HEADLINE
from ercframe.metrics import Scores
from ercframe.statistics.bootstrap import bootstrap, percentile_interval
from ercframe.statistics.confusion import HEADLINE, class_f1, confusion_by, headline


def mean(sums):
    """Mean of values, from sums of values and numbers of values."""
    return sums[:, :1] / sums[:, 1:]


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(1).normal(5, 2, size=400)
    low, high = percentile_interval(bootstrap(np.stack([values, np.ones(400)], axis=1), mean))[:, 0]
    half = norm.ppf(0.975) * values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng, held = np.random.default_rng(2), 0
    for trial in range(300):
        right = rng.random((60, 10)) < rng.beta(4, 2, size=(60, 1))  # turns of a dialogue are alike
        counts = np.stack([right.sum(1), np.full(60, 10)], axis=1)
        low, high = percentile_interval(bootstrap(counts, mean, resamples=500, seed=trial))[:, 0]
        held += low <= 4 / 6 <= high
    assert 0.91 < held / 300 < 0.985


def test_whole_dialogues_are_drawn():
    counts = np.array([[10, 10], [0, 10]])  # one dialogue right throughout, one wrong
    found = bootstrap(counts, mean, resamples=2000)[:, 0]
    assert set(found) == {0.0, 0.5, 1.0}
    assert np.mean(found == 0.5) == pytest.approx(0.5, abs=0.05)


def test_the_seed_says_what_is_drawn_whatever_is_counted():
    counts = np.random.default_rng(3).integers(1, 5, size=(30, 2))
    assert np.array_equal(bootstrap(counts, mean, 500, seed=4), bootstrap(counts, mean, 500, seed=4))
    assert not np.array_equal(bootstrap(counts, mean, 500, seed=4), bootstrap(counts, mean, 500, seed=5))
    twice = np.stack([counts, counts[::-1]], axis=1)
    beside = bootstrap(twice, lambda sums: mean(sums[:, 0]), 500, seed=4)
    assert np.array_equal(beside, bootstrap(counts, mean, 500, seed=4))


def test_chunks_are_not_seen(monkeypatch):
    counts = np.random.default_rng(3).integers(1, 5, size=(30, 2))
    whole = bootstrap(counts, mean, 500)
    monkeypatch.setattr("ercframe.statistics.bootstrap._AT_A_TIME", 30 * 7)
    assert np.array_equal(bootstrap(counts, mean, 500), whole)


def test_one_dialogue_has_one_score():
    assert set(bootstrap(np.array([[3, 4]]), mean, 50)[:, 0]) == {0.75}


def test_no_dialogue_is_refused():
    with pytest.raises(ValueError, match="at least one dialogue"):
        bootstrap(np.zeros((0, 2)), mean)


def test_resamples_without_a_statistic_are_left_out():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    found = percentile_interval(values, level=1.0)
    assert found[:, 0].tolist() == [1.0, 3.0]
    assert np.isnan(found[:, 1]).all()


@pytest.mark.parametrize("classes", [2, 7])
def test_scores_are_those_of_torchmetrics(classes):
    rng = np.random.default_rng(classes)
    label = rng.integers(classes, size=200)
    predicted = np.where(rng.random(200) < 0.5, label, rng.integers(max(1, classes - 1), size=200))
    label[label == classes - 1], absent = 0, classes > 2  # of seven emotions, the last is nowhere
    predicted[predicted == classes - 1] = 0
    confusion = confusion_by(rng.integers(5, size=200), label, predicted, (5, classes)).sum(axis=0)
    expected = Scores.of(torch.tensor(predicted), torch.tensor(label), classes)
    assert confusion.tolist() == [list(row) for row in expected.confusion]
    assert headline(confusion) == pytest.approx([getattr(expected, name) for name in HEADLINE], abs=1e-6)
    assert np.nan_to_num(class_f1(confusion)) == pytest.approx(expected.f1, abs=1e-6)
    assert bool(np.isnan(class_f1(confusion)[-1])) or not absent


def test_the_headline_is_that_of_runs():
    assert HEADLINE == OUR_HEADLINE


def test_many_confusions_are_scored_as_each_alone():
    many = np.random.default_rng(0).integers(0, 9, size=(4, 3, 5, 5))
    assert headline(many)[2, 1] == pytest.approx(headline(many[2, 1]))
    assert np.isnan(headline(np.zeros((5, 5)))).all()
