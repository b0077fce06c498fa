"""Predictions of a run's seeds as arrays: one order, scores with intervals, and what is no prediction of the run."""

import math

import numpy as np
import pytest

from ercframe.scored_turns import ScoredTurns

LABELS = ("a", "b", "never")


def rows(predicted, label="abababababab", dialogue=lambda i: f"d{2 - i % 3}"):
    return [
        {"dialogue": dialogue(i), "utterance": f"u{i:02}", "label": x, "prediction": y}
        for i, (x, y) in enumerate(zip(label, predicted, strict=True))
    ]


def test_turns_keep_the_order_of_their_lines_and_dialogues_that_of_their_appearance():
    found = ScoredTurns.of({0: rows("aabbaabbaabb"), 3: rows("a" * 12)}, LABELS)
    assert found.ids[:2] == (("d2", "u00"), ("d1", "u01"))
    assert found.dialogues == ("d2", "d1", "d0")
    assert found.dialogue.tolist() == [0, 1, 2] * 4
    assert found.predicted.tolist() == [[0, 0, 1, 1] * 3, [0] * 12]
    assert found.right.mean(axis=1).tolist() == [0.5, 0.5]


def test_sorted_by_id_each_dialogue_keeps_its_counts():
    found = ScoredTurns.of({0: rows("aabbaabbaabb"), 3: rows("a" * 12)}, LABELS)
    ordered = found.by_id()
    assert ordered.ids == tuple(sorted(found.ids))
    assert ordered.dialogues == ("d0", "d1", "d2")
    assert np.array_equal(ordered.counts, found.counts[::-1])


def test_scores_are_those_of_the_predictions_with_intervals_around_them():
    found = ScoredTurns.of({0: rows("aabbaabbaabb")}, LABELS)
    assert found.support == {"a": 6, "b": 6, "never": 0}
    accuracy = found.headline["accuracy"]
    assert accuracy.value == 0.5
    assert accuracy.low <= 0.5 <= accuracy.high
    assert math.isnan(accuracy.std)
    assert math.isnan(found.f1["never"].value)
    assert list(found.f1) == list(LABELS)


def test_over_seeds_there_is_a_deviation():
    found = ScoredTurns.of({0: rows("ab" * 6), 1: rows("a" * 12)}, LABELS)
    assert found.headline["accuracy"].value == 0.75
    assert found.headline["accuracy"].std == pytest.approx(0.5 / math.sqrt(2))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (rows("a" * 12, dialogue=lambda i: "d0"), "seed 7 must have the turns and labels that seed 4 has"),
        (rows("a" * 12, label="b" * 12), "seed 7 must have the turns and labels that seed 4 has"),
        ([], "seed 7 must have the turns and labels that seed 4 has"),
        (rows("c" * 12), r"a line of seed 7 lacks something, or names no emotion of the run: KeyError\('c'\)"),
        ([{"dialogue": "d0"}], r"a line of seed 7 lacks something, or names no emotion of the run: KeyError\('utter"),
    ],
)
def test_what_is_no_prediction_of_the_same_turns_is_refused(other, told):
    with pytest.raises(ValueError, match=told):
        ScoredTurns.of({4: rows("a" * 12), 7: other}, LABELS)
