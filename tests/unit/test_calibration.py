"""Temperature scaling on probabilities whose right temperature is known."""

import numpy as np
import pytest

from ercframe.calibration import HIGHEST, LOWEST, calibrated, fit_temperature, recorded


def nll(probability, label):
    return -np.log(probability[np.arange(len(label)), label]).mean()


def drawn(n=20_000, classes=4):
    """Probabilities, and labels drawn from them."""
    random = np.random.default_rng(0)
    p = random.dirichlet([1.0] * classes, n)
    return p, (p.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)


@pytest.mark.parametrize("wrong_by", [0.5, 1.0, 3.0])
def test_finds_by_how_much_a_model_is_too_sure(wrong_by):
    p, label = drawn()
    said = calibrated(p, 1 / wrong_by)  # sharper than the truth by this factor
    assert fit_temperature(said, label) == pytest.approx(wrong_by, rel=0.05)
    assert np.allclose(calibrated(said, wrong_by), p, atol=0.01)


def test_no_other_temperature_is_more_likely():
    p, label = drawn(300)
    said = calibrated(p, 0.4)
    best = fit_temperature(said, label)
    assert all(
        nll(calibrated(said, best), label) <= nll(calibrated(said, best * k), label) for k in (0.9, 0.99, 1.01, 1.1)
    )


def test_the_prediction_stays_and_rows_add_up_to_1():
    p, _ = drawn(100)
    for temperature in (LOWEST, 1.7, HIGHEST):
        other = calibrated(p, temperature)
        assert (other.argmax(axis=1) == p.argmax(axis=1)).all()
        assert np.allclose(other.sum(axis=1), 1)
    assert np.allclose(calibrated(p, 1.0), p, atol=1e-6)


def test_only_right_or_only_wrong_predictions_end_at_a_bound():
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(p, np.array([0, 1])) == pytest.approx(LOWEST)
    assert fit_temperature(p, np.array([1, 0])) == pytest.approx(HIGHEST)


def test_a_probability_that_was_rounded_to_zero_is_small_not_impossible():
    p = np.array([[1.0, 0.0], [1.0, 0.0], [0.7, 0.3]])
    assert np.isfinite(fit_temperature(p, np.array([0, 1, 0])))
    assert np.isfinite(calibrated(p, 0.05)).all()


def test_rows_of_a_run_are_read_in_the_order_of_the_labels():
    rows = [{"label": "joy", "probabilities": {"anger": 0.25, "joy": 0.75}}]
    p, label = recorded(rows, ("joy", "anger"))
    assert p.tolist() == [[0.75, 0.25]]
    assert label.tolist() == [0]
