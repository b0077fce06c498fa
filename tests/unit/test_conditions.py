"""What is hidden, what gets noise, and that everybody is shown the same."""

import pytest
import torch

from ercframe.conditions import Condition, Shown
from ercframe.robustness import LEVELS, RATES, drop_curves, noise_curves, subsets
from ercframe.testing import example_dataset
from ercframe.testing.conversations import example_dialogues

MODALITIES = ("text", "audio", "visual")


@pytest.fixture
def dialogues():
    return example_dialogues(example_dataset(), (400, 1, 300), holes=True)


def shown(dialogues, hidden=None, noise=None, seed=0):
    return list(Shown(dialogues, Condition.of(hidden, noise), seed))


def hidden_rows(before, after, modality):
    return torch.cat([b.available[modality] & ~a.available[modality] for b, a in zip(before, after, strict=True)])


def test_without_a_condition_nothing_changes(dialogues):
    for before, after in zip(dialogues, shown(dialogues, {"text": 0.0}, {"audio": 0.0}), strict=True):
        for m in MODALITIES:
            assert torch.equal(before.features[m], after.features[m])
            assert torch.equal(before.available[m], after.available[m])


def test_conditions_are_equal_whatever_the_order_and_the_zeros():
    assert Condition.of({"b": 1, "a": 0.5, "c": 0}) == Condition.of({"a": 0.5, "b": 1})


def test_a_dropped_modality_looks_as_if_the_corpus_lacked_it(dialogues):
    for before, after in zip(dialogues, shown(dialogues, {"audio": 1.0}), strict=True):
        assert not after.features["audio"].any()
        assert not after.available["audio"].any()
        assert torch.equal(after.features["text"], before.features["text"])
        assert before.available["audio"].any() or len(before) == 1  # the data's own tensors are left alone


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_as_many_utterances_are_hidden_as_the_rate_says(dialogues, rate):
    after = shown(dialogues, {"audio": rate})
    had = torch.cat([d.available["audio"] for d in dialogues])
    assert float(hidden_rows(dialogues, after, "audio")[had].float().mean()) == pytest.approx(rate, abs=0.06)
    for dialogue in after:
        assert not dialogue.features["audio"][~dialogue.available["audio"]].any()


def test_what_is_hidden_stays_hidden_at_a_higher_rate(dialogues):
    low, high = (hidden_rows(dialogues, shown(dialogues, {"text": rate}), "text") for rate in (0.3, 0.6))
    assert (high | ~low).all()
    assert high.sum() > low.sum()


def test_modalities_and_seeds_have_draws_of_their_own(dialogues):
    alone, other = (shown(dialogues, {"text": 0.5}, seed=seed) for seed in (0, 1))
    both = shown(dialogues, {"text": 0.5, "audio": 0.5})
    text = hidden_rows(dialogues, alone, "text")
    assert torch.equal(text, hidden_rows(dialogues, both, "text"))
    assert not torch.equal(text, hidden_rows(dialogues, both, "audio"))
    assert not torch.equal(text, hidden_rows(dialogues, other, "text"))


def test_the_draws_do_not_depend_on_the_order_of_dialogues(dialogues):
    forward = shown(dialogues, {"text": 0.5}, {"audio": 1.0})
    backward = shown(dialogues[::-1], {"text": 0.5}, {"audio": 1.0})[::-1]
    for one, two in zip(forward, backward, strict=True):
        assert torch.equal(one.available["text"], two.available["text"])
        assert torch.equal(one.features["audio"], two.features["audio"])


def test_noise_has_its_level_and_spares_what_is_missing(dialogues):
    quiet, loud = (shown(dialogues, None, {"text": level}) for level in (1.0, 2.0))
    for before, one, two in zip(dialogues, quiet, loud, strict=True):
        noise = one.features["text"] - before.features["text"]
        torch.testing.assert_close(two.features["text"] - before.features["text"], 2 * noise)
        assert not one.features["text"][~before.available["text"]].any()
        if len(before) > 100:
            assert float(noise[before.available["text"]].std()) == pytest.approx(1, abs=0.1)


def test_a_slice_is_shown_in_the_same_way(dialogues):
    every = Shown(dialogues, Condition.of({"text": 0.5}))
    assert torch.equal(every[1:][1].available["text"], every[2].available["text"])


def test_every_set_of_modalities_once_the_whole_first():
    found = dict(subsets(MODALITIES))
    assert len(found) == 7
    assert next(iter(found.items())) == (MODALITIES, Condition())
    assert found["text", "visual"] == Condition.of({"audio": 1.0})
    assert found["visual",] == Condition.of({"text": 1.0, "audio": 1.0})


@pytest.mark.parametrize(("curves", "numbers"), [(drop_curves, RATES), (noise_curves, LEVELS)])
def test_a_curve_for_each_modality_then_for_all(curves, numbers):
    found = list(curves(MODALITIES))
    assert [curve.modalities for curve in found] == [("text",), ("audio",), ("visual",), MODALITIES]
    for curve in found:
        assert tuple(number for number, _ in curve.points) == numbers
        assert curve.points[0][1] == Condition()
    assert [curve.modalities for curve in curves(("text",))] == [("text",)]
