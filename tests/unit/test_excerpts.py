"""Utterances with a part of their dialogue: models whose dependence is known, and every encoder and fusion."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from ercframe import Decision, FusionOutput, ModelOutput, Streams, plugins
from ercframe.conditions import Condition
from ercframe.context_dependence import VIEWS
from ercframe.data.dialogue import collate
from ercframe.evaluate import batches, scored_logits
from ercframe.evaluation.asking import Answers
from ercframe.evaluation.contexts import context_section
from ercframe.evaluation.found import Found
from ercframe.excerpts import Visible, batches_of_excerpts, excerpts
from ercframe.model import Learner, Model
from ercframe.objective import Objective
from ercframe.slices import Turns
from ercframe.testing import example_dataset
from ercframe.testing.conversations import example_dialogues

CPU = torch.device("cpu")
DATASET = example_dataset({"text": 4})
REGISTRY = plugins.load()
CLASSES = len(DATASET.labels)


class Rule(nn.Module):
    """Predicts what a rule says of the emotions that the features of a dialogue show, and of who speaks."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def forward(self, features, context):
        shown = features["text"].argmax(dim=-1).tolist()
        speaker, predicted, start = context.speaker.tolist(), [], 0
        for size in context.layout.sizes:
            own = slice(start, start + size)
            predicted += [self.rule(shown[own], speaker[own], i) for i in range(size)]
            start += size
        logits = nn.functional.one_hot(torch.tensor(predicted), CLASSES).float()
        return ModelOutput(Streams({}), FusionOutput(logits), Decision(logits))


def previous(shown, speaker, i):
    return shown[i - 1] if i else 0


def next_one(shown, speaker, i):
    return shown[i + 1] if i + 1 < len(shown) else 0


def five_before(shown, speaker, i):
    return shown[i - 5] if i >= 5 else 0


def first(shown, speaker, i):
    return shown[0]


def alone(shown, speaker, i):
    return shown[i]


def other_speaker(shown, speaker, i):
    return next((shown[j] for j in reversed(range(i)) if speaker[j] != speaker[i]), 0)


def own_before(shown, speaker, i):
    return next((shown[j] for j in reversed(range(i)) if speaker[j] == speaker[i]), 0)


def commonest(shown, speaker, i):
    return max(range(CLASSES), key=shown.count)


RULES = [previous, next_one, five_before, first, alone, other_speaker, own_before, commonest]


@pytest.fixture
def dialogues():
    return example_dialogues(DATASET, (13, 1, 7, 30), holes=False)


def learner(rule):
    return Learner(Rule(rule), Objective({}, {}))


def predicted(rule, dialogues, view):
    """Predictions for the scored utterances, batched."""
    shown = batches(dialogues, 2) if view == Visible() else batches_of_excerpts(dialogues, view, DATASET.speakers, 16)
    return scored_logits(learner(rule), shown, CPU)[0].argmax(dim=-1).tolist()


def by_hand(rule, dialogues, past, future, own=False):
    """The same, worked out from lists."""
    found = []
    for dialogue in dialogues:
        shown, speaker = dialogue.features["text"].argmax(dim=-1).tolist(), dialogue.speaker.tolist()
        for i in [i for i, label in enumerate(dialogue.labels.tolist()) if label >= 0]:
            near = range(max(0, i - past), len(shown) if future else i + 1)
            kept = [j for j in near if not own or j == i or speaker[j] == speaker[i] != DATASET.speakers]
            found.append(rule([shown[j] for j in kept], [speaker[j] for j in kept], kept.index(i)))
    return found


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("view", [view for view in VIEWS if view.order == "kept"], ids=str)
def test_predictions_are_those_worked_out_by_hand(dialogues, rule, view):
    past = 1000 if view.past is None else view.past
    expected = by_hand(rule, dialogues, past, view.future, view.speakers == "own")
    assert predicted(rule, dialogues, view) == expected


def section(rule, dialogues):
    """The section of ``evaluation.json``, by past, future, speakers and order."""
    answers = {Condition() if view == Visible() else view: [predicted(rule, dialogues, view)] * 2 for view in VIEWS}
    stacked = {view: torch.tensor(found).numpy() for view, found in answers.items()}
    turns = dict.fromkeys(stacked, 1.0)
    found = Found(Answers((1, 1), stacked, turns, [], []), Turns.of_dialogues(dialogues), DATASET.labels)
    views = context_section(found)["views"]
    return {(v["past"], v["future"], v["speakers"], v["order"]): v for v in views}


def share(one, two):
    return sum(a != b for a, b in zip(one, two, strict=True)) / len(one)


def test_a_model_that_reads_the_turn_before_flips_where_that_turn_is_hidden(dialogues):
    found, whole = section(previous, dialogues), by_hand(previous, dialogues, 1000, True)
    hidden = share(whole, [0] * len(whole))
    assert 0.3 < hidden < 0.9
    for (past, _, speakers, order), view in found.items():
        if order == "kept" and speakers == "all":
            assert view["flipped"]["value"] == pytest.approx(0 if past else hidden)
            assert (view["difference"]["value"] == 0) is bool(past)
        assert [seed["flipped"] for seed in view["seeds"]] == [view["flipped"]["value"]] * 2
    assert found["all", True, "own", "kept"]["flipped"]["value"] > 0
    assert found["all", True, "all", "shuffled"]["flipped"]["value"] > 0


def test_a_model_that_reads_the_turn_after_flips_where_the_future_is_hidden(dialogues):
    found, whole = section(next_one, dialogues), by_hand(next_one, dialogues, 1000, True)
    hidden = share(whole, [0] * len(whole))
    assert 0.3 < hidden < 0.9
    for (_, future, speakers, order), view in found.items():
        if order == "kept" and speakers == "all":
            assert view["flipped"]["value"] == pytest.approx(0 if future else hidden)


def test_a_model_that_reads_no_other_turn_never_flips(dialogues):
    for view in section(alone, dialogues).values():
        assert view["flipped"] == {"value": 0.0, "std": 0.0, "low": 0.0, "high": 0.0}
        assert view["difference"] == {"value": 0.0, "std": 0.0, "low": 0.0, "high": 0.0}


def test_a_model_that_counts_emotions_does_not_see_the_order(dialogues):
    shuffled = section(commonest, dialogues)["all", True, "all", "shuffled"]
    assert shuffled["flipped"]["value"] == 0
    assert section(first, dialogues)["all", True, "all", "shuffled"]["flipped"]["value"] > 0


def test_own_turns_alone_leave_what_a_model_of_own_turns_reads():
    speakers = torch.tensor([0, 1, 0, 0, 1, 2, 1, 0])
    dialogue = replace(example_dialogues(DATASET, (8,), holes=False, unscored=False)[0], speaker=speakers)
    own = "all", True, "own", "kept"
    assert section(own_before, [dialogue])[own]["flipped"]["value"] == 0
    assert section(other_speaker, [dialogue])[own]["flipped"]["value"] > 0


def test_an_unknown_speaker_has_no_other_turn():
    speakers = torch.tensor([3, 3, 0, 3, 0])
    dialogue = replace(example_dialogues(DATASET, (5,), unscored=False)[0], speaker=speakers)
    assert [len(one) for one in excerpts([dialogue], Visible(speakers="own"), DATASET.speakers)] == [1, 1, 2, 1, 2]


def test_unscored_turns_are_shown_and_get_no_excerpt(dialogues):
    scored = sum(int((dialogue.labels >= 0).sum()) for dialogue in dialogues)
    assert scored < sum(map(len, dialogues))
    found = list(excerpts(dialogues, Visible(past=3, future=False), DATASET.speakers))
    assert len(found) == scored
    assert all(int((one.labels >= 0).sum()) == 1 for one in found)
    fourth = next(one for one in found if len(one) == 4)
    assert torch.equal(fourth.features["text"], dialogues[0].features["text"][1:5])  # the fourth turn is unscored
    assert fourth.labels.tolist() == [-1, -1, -1, int(dialogues[0].labels[4])]


def test_shuffling_keeps_past_past_and_the_utterance_in_its_place(dialogues):
    shuffled, kept = Visible(order="shuffled"), Visible()
    for dialogue in dialogues:
        for place in range(len(dialogue)):
            rows, own = shuffled.rows(dialogue, place, DATASET.speakers, 0)
            assert (own, int(rows[own])) == (place, place)
            assert sorted(rows[:own].tolist()) == list(range(place))
            assert sorted(rows[own + 1 :].tolist()) == list(range(place + 1, len(dialogue)))
            again, _ = shuffled.rows(dialogue, place, DATASET.speakers, 0)
            assert torch.equal(rows, again)
    long = dialogues[-1]
    assert not torch.equal(shuffled.rows(long, 15, 3, 0)[0], kept.rows(long, 15, 3, 0)[0])
    assert not torch.equal(shuffled.rows(long, 15, 3, 0)[0], shuffled.rows(long, 15, 3, 1)[0])


@pytest.mark.parametrize("turns", [1, 7, 64, 10_000])
def test_batches_hold_every_excerpt_once_and_as_many_turns_as_may_be(dialogues, turns):
    view = Visible(past=3, future=False)
    found = list(batches_of_excerpts(dialogues, view, DATASET.speakers, turns))
    whole = collate(list(excerpts(dialogues, view, DATASET.speakers)))
    assert torch.equal(torch.cat([batch.features["text"] for batch in found]), whole.features["text"])
    assert all(batch.context.layout.dialogues == 1 or batch.context.layout.utterances <= turns for batch in found)
    assert sum(len(batch.scored) for batch in found) == len(whole.scored)


def pairs():
    """Every encoder and every fusion once, with its default settings or the first of its examples."""
    for name in REGISTRY.names("encoder"):
        yield name, "concat"
    for name in REGISTRY.names("fusion"):
        yield "intra_inter_transformer", name


def part(kind, name, *before):
    component = REGISTRY.get(kind, name)
    small = {"width": 8} if "width" in component.Config.model_fields else {}
    return component(component.Config(**small), *before)


@pytest.mark.parametrize(("encoder", "fusion"), list(pairs()))
def test_every_encoder_and_fusion_answers_an_excerpt_as_a_dialogue_of_its_own(encoder, fusion):
    dataset = example_dataset()
    listening = part("encoder", encoder, dataset)
    fusing = part("fusion", fusion, dataset, listening.spec)
    model = Model(listening, fusing, part("classifier", "linear", dataset, fusing.spec))
    subject = Learner(model, Objective({}, {})).double().eval()
    dialogues = [
        replace(d, features={m: x.double() for m, x in d.features.items()})
        for d in example_dialogues(dataset, (9, 1, 4))
    ]
    whole, labels = scored_logits(subject, batches(dialogues, 3), CPU)
    for view in VIEWS:
        cut = list(excerpts(dialogues, view, dataset.speakers))
        each = torch.cat([scored_logits(subject, [collate([one])], CPU)[0] for one in cut])
        together, same = scored_logits(subject, batches_of_excerpts(dialogues, view, dataset.speakers, 20), CPU)
        torch.testing.assert_close(together, each, rtol=0, atol=1e-9)
        assert torch.equal(same, labels)
        if view == Visible() or (view == Visible(future=False) and not model.sees_future):
            torch.testing.assert_close(together, whole, rtol=0, atol=1e-9)
