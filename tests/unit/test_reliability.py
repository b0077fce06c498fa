"""Calibration error, likelihood and Brier score on cases worked out by hand."""

import numpy as np
import pytest

from ercframe.calibration import SMALLEST, calibrated
from ercframe.evaluation.calibrating import _means, _sums, calibration_section
from ercframe.reliability import BINS, Bins, brier_score, negative_log_likelihood

P = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
LABEL = np.array([0, 1, 1, 1])


def test_the_error_is_that_of_a_calculation_by_hand():
    # Five bins: (0.4, 0.6] has one prediction, right; (0.6, 0.8] two, of which one is right; (0.8, 1] one, right.
    expected = (abs(1 - 0.55) + 2 * abs(0.5 - 0.75) + abs(1 - 0.9)) / 4
    assert Bins.of(P, LABEL, 5).error() == pytest.approx(expected)


def test_a_row_for_each_bin_with_none_where_it_is_empty():
    rows = Bins.of(P, LABEL, 5).rows()
    assert [(row["low"], row["high"]) for row in rows] == [(0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1)]
    assert [row["count"] for row in rows] == [0, 0, 1, 2, 1]
    assert rows[0] == {"low": 0.0, "high": 0.2, "count": 0, "confidence": None, "accuracy": None}
    assert (rows[3]["confidence"], rows[3]["accuracy"]) == (pytest.approx(0.75), 0.5)


def test_a_bin_holds_its_upper_end():
    rows = Bins.of(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1]), 2).rows()
    assert [row["count"] for row in rows] == [1, 1]


def test_bins_of_several_seeds_add_up():
    both, one = Bins.of(P, LABEL) + Bins.of(P[::-1], LABEL), Bins.of(np.concatenate([P, P[::-1]]), np.tile(LABEL, 2))
    assert both.rows() == one.rows()


def test_what_is_right_as_often_as_it_says_has_no_error():
    random = np.random.default_rng(0)
    p = random.dirichlet([1.0] * 4, 50_000)
    label = (p.cumsum(axis=1) < random.random((len(p), 1))).sum(axis=1)
    assert Bins.of(p, label).error() < 0.01
    assert Bins.of(calibrated(p, 0.5), label).error() > 0.1


def test_likelihood_and_brier_score_are_those_of_a_calculation_by_hand():
    assert negative_log_likelihood(P, LABEL) == pytest.approx(-np.log([0.9, 0.2, 0.7, 0.55]).mean())
    assert brier_score(P, LABEL) == pytest.approx(2 * np.mean([0.1**2, 0.8**2, 0.3**2, 0.45**2]))
    sure = np.array([[1.0, 0.0]])
    assert negative_log_likelihood(sure, np.array([1])) == pytest.approx(-np.log(SMALLEST))
    assert (brier_score(sure, np.array([0])), brier_score(sure, np.array([1]))) == (0, 2)


def test_the_temperature_is_of_dev_and_test_is_only_measured():
    random = np.random.default_rng(1)
    p = random.dirichlet([1.0] * 4, 20_000)
    label = (p.cumsum(axis=1) < random.random((len(p), 1))).sum(axis=1)
    dev, test = slice(0, 10_000), slice(10_000, None)
    sharp, turn = [calibrated(p, 0.5), calibrated(p, 0.25)], np.arange(10_000) // 50
    found = calibration_section([x[test] for x in sharp], label[test], turn, [x[dev] for x in sharp], label[dev])
    assert found["temperature"]["seeds"] == pytest.approx([2, 4], rel=0.05)
    assert found["temperature"]["over_seeds"]["mean"] == pytest.approx(3, rel=0.05)
    for name in ("ece", "nll", "brier"):
        for before, after in zip(found["as_is"]["seeds"], found["scaled"]["seeds"], strict=True):
            assert after[name] < before[name]
    wrong = calibration_section(
        [x[test] for x in sharp], (label[test] + 1) % 4, turn, [x[dev] for x in sharp], label[dev]
    )
    assert wrong["temperature"] == found["temperature"]
    assert sum(row["count"] for row in found["as_is"]["reliability"]) == 20_000
    assert found["bins"] == len(found["as_is"]["reliability"]) == BINS


def test_without_dev_nothing_is_scaled():
    found = calibration_section([P], LABEL, np.arange(len(LABEL)), [], np.zeros(0, np.intp))
    assert found["temperature"] is found["scaled"] is None
    found = found["as_is"]["over_seeds"]["brier"]
    assert (found["mean"], found["std"]) == (brier_score(P, LABEL), None)
    assert found["low"] <= found["mean"] <= found["high"]


def test_intervals_of_nll_and_brier_are_as_wide_as_means_of_dialogues_vary():
    random = np.random.default_rng(2)
    p, label, dialogue = random.dirichlet([1.0] * 3, 4000), random.integers(3, size=4000), np.arange(4000) // 20
    found = calibration_section([p], label, dialogue, [], np.zeros(0, np.intp))["as_is"]
    for name, score in {"nll": negative_log_likelihood, "brier": brier_score}.items():
        each = [score(p[dialogue == one], label[dialogue == one]) for one in range(200)]
        entry = found["over_seeds"][name]
        error = np.std(each, ddof=1) / 200**0.5
        assert entry["low"] == pytest.approx(entry["mean"] - 1.96 * error, abs=0.2 * error)
        assert entry["high"] == pytest.approx(entry["mean"] + 1.96 * error, abs=0.2 * error)
    (seed,), (added,) = found["seeds"], _means(_sums([p], label, dialogue).sum(axis=0)[None])[0]
    assert added == pytest.approx([seed["nll"], seed["brier"]])


def test_the_calibration_error_has_no_interval():
    found = calibration_section([P, P[::-1]], LABEL, np.arange(len(LABEL)), [], np.zeros(0, np.intp))["as_is"]
    each = [seed["ece"] for seed in found["seeds"]]
    assert found["over_seeds"]["ece"] == {
        "mean": pytest.approx(np.mean(each)),
        "std": pytest.approx(np.std(each, ddof=1)),
    }
