"""Scores over seeds and dialogues, confusions and slices of turns that can be read at a glance."""

import numpy as np
import pytest

from ercframe.breakdown import breakdown
from ercframe.data.dialogue import Utterance
from ercframe.slices import Turns, slices
from ercframe.statistics.bootstrap import bootstrap, percentile_interval
from ercframe.statistics.confusion import confusion_by, headline
from ercframe.statistics.over_seeds import estimates
from ercframe.testing import example_dataset
from ercframe.testing.conversations import example_dialogues

LABELS = example_dataset().labels


def ratio(sums):
    return sums[..., :1] / sums[..., 1:]


def turns_of(*lengths, words=("",)):
    """Turns of dialogues, with texts in turn."""
    dialogues = example_dialogues(example_dataset(), lengths)
    texts = iter(np.resize(np.array(words, dtype=object), sum(lengths)))
    for dialogue in dialogues:
        named = tuple(Utterance(u.id, u.speaker, next(texts)) for u in dialogue.utterances)
        object.__setattr__(dialogue, "utterances", named)
    return Turns.of_dialogues(dialogues)


def test_mean_and_deviation_are_over_seeds_and_the_interval_is_over_dialogues():
    counts = np.array([[[8, 10], [9, 10]], [[2, 10], [3, 10]], [[5, 10], [6, 10]]])  # three dialogues, two seeds
    (found,) = estimates(counts, ratio)
    assert found.value == pytest.approx(0.55)
    assert found.std == pytest.approx(np.std([0.5, 0.6], ddof=1))
    assert (found.low, found.high) == (pytest.approx(0.25), pytest.approx(0.85))


def test_seeds_are_resampled_together():
    right = np.array([[9, 1], [1, 9], [9, 1], [1, 9]])  # where one seed is right, the other is not
    (found,) = estimates(np.stack([right, np.full_like(right, 10)], axis=-1), ratio)
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(0.5))


def test_one_seed_has_the_interval_of_its_own_and_no_deviation():
    counts = np.random.default_rng(0).integers(1, 9, size=(25, 1, 2))
    (found,) = estimates(counts, ratio)
    low, high = percentile_interval(bootstrap(counts[:, 0], ratio))[:, 0]
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.as_json()["std"] is None


def test_the_scores_are_those_of_the_confusions_of_each_seed():
    turns, rng = turns_of(9, 4, 30), np.random.default_rng(0)
    predicted = rng.integers(len(LABELS), size=(3, len(turns.label)))
    found = breakdown(turns, predicted, LABELS, None)
    scored = turns.label >= 0
    each = [
        confusion_by(turns.dialogue[scored] * 0, turns.label[scored], p[scored], (1, len(LABELS)))[0] for p in predicted
    ]
    scores = np.array([headline(one) for one in each])
    for i, name in enumerate(("weighted_f1", "accuracy", "macro_f1")):
        assert found["scores"][name]["value"] == pytest.approx(scores[:, i].mean())
        assert found["scores"][name]["std"] == pytest.approx(scores[:, i].std(ddof=1))
    assert found["confusion"] == sum(each).tolist()
    assert (found["turns"], found["dialogues"]) == (int(scored.sum()), 3)
    assert all(one["few"] for one in found["slices"])


def test_the_largest_shares_come_first_and_what_never_happened_is_no_confusion():
    turns = turns_of(40)
    predicted = turns.label.astype(np.intp).copy()
    sad, angry = np.flatnonzero(turns.label == 1), np.flatnonzero(turns.label == 3)
    predicted[sad[: len(sad) // 2]] = 2
    predicted[angry[:1]] = 0
    found = breakdown(turns, predicted[None], LABELS, None)["confusions"]
    assert [(one["label"], one["prediction"]) for one in found] == [("sad", "neutral"), ("angry", "happy")]
    assert found[0]["share"]["value"] == pytest.approx(len(sad) // 2 / len(sad))
    assert found[0]["turns"] == len(sad)


def test_every_kind_of_slice_divides_the_scored_turns():
    turns = turns_of(9, 1, 45, 3, words=("", "what ?", "I am not so sure about it", "no " * 30))
    by = {}
    for one in slices(turns):
        by.setdefault(one.by, []).append(one.rows)
    assert set(by) == {
        "emotion",
        "turn before",
        "position",
        "dialogue length",
        "utterance length",
        "speaker",
    }
    for groups in by.values():
        assert np.array_equal(np.sum(groups, axis=0), turns.label >= 0)


def test_slices_by_words_need_a_text_and_say_where_there_is_none():
    assert not [one for one in slices(turns_of(9)) if one.by == "utterance length"]
    turns = turns_of(10, words=("", "one two three", "one two three four", "w " * 16, "w " * 15))
    names = {one.name: np.flatnonzero(one.rows).tolist() for one in slices(turns) if one.by == "utterance length"}
    scored = set(np.flatnonzero(turns.label >= 0).tolist())
    expected = {"no text": {0, 5}, "1 to 3 words": {1, 6}, "4 to 8 words": {2, 7}, "9 to 15 words": {4, 9}}
    assert {name: set(rows) for name, rows in names.items()} == {name: rows & scored for name, rows in expected.items()}


def test_positions_and_the_turn_before():
    turns = turns_of(25, 2)
    named = {(one.by, one.name): np.flatnonzero(one.rows).tolist() for one in slices(turns)}
    assert named["position", "first turn"] == [0, 25]
    assert named["position", "turn 21 and later"] == [n for n in range(20, 25) if turns.label[n] >= 0]
    later = [n for n in range(1, 27) if n != 25 and turns.label[n] >= 0]
    same = [n for n in later if turns.speaker[n] == turns.speaker[n - 1]]
    assert named["turn before", "same speaker"] == same
    assert named["turn before", "none"] == named["position", "first turn"]
