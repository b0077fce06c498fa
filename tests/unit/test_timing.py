"""The extractor ``timing``: each column by hand."""

import numpy as np
import pytest

from ercframe import Utterance, UtteranceView
from ercframe_plugins.extractors.timing import Timing

FIRST = Utterance("u0", "Ann", "Hello there", 1.0, 3.0)


def row(turn):
    """The columns of a turn by name."""
    extractor = Timing(Timing.Config())
    values = extractor.extract([extractor.read(turn).content])
    assert values.dtype == np.float32
    return dict(zip(Timing.columns, values[0].tolist(), strict=True))


def test_every_column():
    turn = UtteranceView("u1", "Bob", "So it is", 3.5, 5.5, position=1, previous=FIRST)
    assert row(turn) == {
        "duration": 2.0,
        "gap": 0.5,
        "overlap": 0.0,
        "words": 3.0,
        "word_rate": 1.5,
        "character_rate": 3.0,
        "same_speaker": 0.0,
        "position": 1.0,
    }


@pytest.mark.parametrize(
    ("times", "gap", "overlap"),
    [((2.0, 5.0), 0, 1), ((1.5, 2.5), 0, 1), ((0.0, 9.0), 0, 2), ((0.0, 0.5), 0, 0), ((3.0, 4.0), 0, 0)],
)
def test_overlap_is_what_both_intervals_share(times, gap, overlap):
    found = row(UtteranceView("u1", "Ann", "Well", *times, position=1, previous=FIRST))
    assert (found["gap"], found["overlap"], found["same_speaker"]) == (gap, overlap, 1)


def test_what_a_first_turn_cannot_know_is_unknown():
    found = row(UtteranceView("u0", "Ann", "Hello", 0.0, 1.0))
    assert [name for name, value in found.items() if np.isnan(value)] == ["gap", "overlap", "same_speaker"]


def test_without_words_only_rates_and_their_number_are_unknown():
    found = row(UtteranceView("u1", "Ann", " ", 4.0, 5.0, previous=FIRST))
    assert [name for name, value in found.items() if np.isnan(value)] == ["words", "word_rate", "character_rate"]


def test_without_a_duration_rates_are_unknown_and_it_is_said():
    turn = UtteranceView("u1", "Ann", "Hm", 4.0, 4.0, previous=FIRST)
    found = row(turn)
    assert np.isnan([found["word_rate"], found["character_rate"]]).all()
    assert found["duration"] == 0
    assert Timing(Timing.Config()).read(turn).remark == "without a duration: rates are unknown"


def test_times_of_the_turn_before_may_be_unknown():
    found = row(UtteranceView("u1", "Bob", "Hm", 4.0, 5.0, previous=Utterance("u0", "", "Hi")))
    assert np.isnan([found["gap"], found["overlap"], found["same_speaker"]]).all()


def test_forty_minutes_are_no_fault():
    found = row(UtteranceView("u1", "Bob", "word " * 6000, 0.0, 2400.0, previous=FIRST))
    assert (found["duration"], found["word_rate"]) == (2400.0, 2.5)
