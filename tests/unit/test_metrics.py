"""Scores against values worked out by hand."""

import pytest
import torch

from ercframe.metrics import Scores


def test_scores_of_a_small_case():
    # class 0: tp 2 fp 1 fn 1 -> F1 2/3; class 1: tp 1 fp 1 fn 1 -> 1/2; class 2: tp 1 fp 0 fn 0 -> 1
    label = torch.tensor([0, 0, 0, 1, 1, 2])
    predicted = torch.tensor([0, 0, 1, 1, 0, 2])
    found = Scores.of(predicted, label, 3)
    assert found.f1 == pytest.approx((2 / 3, 1 / 2, 1.0))
    assert found.weighted_f1 == pytest.approx((3 * 2 / 3 + 2 * 1 / 2 + 1) / 6)
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found.confusion == ((2, 1, 0), (1, 1, 0), (0, 0, 1))


def test_a_class_that_never_occurs_is_left_out_of_the_macro_mean():
    found = Scores.of(torch.tensor([0, 1]), torch.tensor([0, 1]), 5)
    assert found.macro_f1 == pytest.approx(1.0)
    assert found.f1 == pytest.approx((1, 1, 0, 0, 0))


def test_nothing_to_score_is_refused():
    with pytest.raises(ValueError, match="at least one labelled utterance"):
        Scores.of(torch.tensor([], dtype=torch.long), torch.tensor([], dtype=torch.long), 3)
