"""Speakers: sides of a conversation or people, and the ids that a model sees."""

import numpy as np
import pytest
from small_corpus import dialogues

from ercframe import DialogueRecord, UtteranceRecord
from ercframe.data.speakers import by_appearance, most_at_once, names_sides, numbered


def _spoken(*names: str) -> list[DialogueRecord]:
    """A dialogue for each text of names."""
    return [
        DialogueRecord(str(i), "train", tuple(UtteranceRecord(f"{i}_{j}", n) for j, n in enumerate(text.split())))
        for i, text in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("spoken", "sides"),
    [
        (["F M F", "M F", "F M M"], True),
        (["F M F"] * 19 + ["F F"], True),
        (["Eve Ann", "Eve Bob", "Ann Bob"], False),
        (["agent user"] * 5 + ["agent agent"] * 5, False),
    ],
)
def test_names_that_recur_everywhere_are_sides(spoken: list[str], sides: bool) -> None:
    assert names_sides(_spoken(*spoken)) is sides


def test_people_who_come_and_go_are_no_sides() -> None:
    assert not names_sides(dialogues())


def test_ids_count_speakers_as_they_appear() -> None:
    assert by_appearance(np.array([7, 3, 7, 9, 3])).tolist() == [0, 1, 0, 2, 1]
    assert by_appearance(np.array([-1, 5, -1, 2])).tolist() == [-1, 0, -1, 1]
    assert by_appearance(np.array([4])).tolist() == [0]


def test_names_are_numbered_over_the_corpus_and_nobody_has_no_number() -> None:
    ids, names = numbered(["Bob", "", "Ann", "Bob"])
    assert ids == [0, -1, 1, 0]
    assert names == ["Bob", "Ann"]


def test_most_speakers_in_one_dialogue() -> None:
    assert most_at_once(np.array([0, 1, 0, 2, 3, -1, 4]), np.array([0, 3, 7])) == 3
    assert most_at_once(np.array([-1, -1]), np.array([0, 2])) == 0
