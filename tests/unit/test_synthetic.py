"""Generated conversations: what was asked for, the same every time, with bounds that mean what they say."""

import math
import re

import pytest
import torch
from pydantic import ValidationError

from ercframe import collate
from ercframe_plugins.datasets.bayes_bound import bayes_facts
from ercframe_plugins.datasets.synthetic import SyntheticConversations

# Shape letters: N utterances, C emotions.

THREE = ("text", "audio", "visual")
CHANCE = 1 / 6


def made(*modalities: str, **settings: object) -> SyntheticConversations:
    """A small corpus, with 20 dialogues to test on."""
    sizes = {"train": 5, "dev": 3, "test": 20}
    return SyntheticConversations(SyntheticConversations.Config(**(sizes | settings)), modalities or THREE)


def measured(*modalities: str, **settings: object) -> SyntheticConversations:
    """A corpus with a large test split, so that accuracies are known to about a point."""
    return made(*modalities, **({"test": 400} | settings))


def test_the_defaults_reward_both_several_modalities_and_the_conversation():
    facts = SyntheticConversations(SyntheticConversations.Config(), THREE).info.facts
    for context in ("", "_no_context"):
        best_single = max(facts[f"bayes_accuracy{context}[{m}]"] for m in THREE)
        assert facts[f"bayes_accuracy{context}"] >= best_single + 0.10
    assert facts["bayes_accuracy"] >= facts["bayes_accuracy_past"] + 0.02
    assert facts["bayes_accuracy_past"] >= facts["bayes_accuracy_no_context"] + 0.05
    assert facts["bayes_accuracy"] < 0.99


def test_what_is_seen_more_of_is_known_better():
    facts = measured().info.facts
    assert facts["bayes_accuracy"] > facts["bayes_accuracy_past"] > facts["bayes_accuracy_no_context"] > CHANCE
    for pair in ("text+audio", "text+visual", "audio+visual"):
        assert facts["bayes_accuracy"] > facts[f"bayes_accuracy[{pair}]"]
        for single in pair.split("+"):
            assert facts[f"bayes_accuracy[{pair}]"] > facts[f"bayes_accuracy[{single}]"]
            assert facts[f"bayes_accuracy[{single}]"] > facts[f"bayes_accuracy_no_context[{single}]"]


def test_the_documented_accuracies_are_those_of_the_defaults(root):
    facts = SyntheticConversations(SyntheticConversations.Config(), THREE).info.facts
    page = (root / "docs" / "synthetic.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z+]+) \| (\d+\.\d) \| (\d+\.\d) \|$", page, re.MULTILINE)
    assert len(rows) == 7
    for modalities, alone, together in rows:
        which = "" if modalities == "all" else f"[{modalities}]"
        assert f"{100 * facts[f'bayes_accuracy_no_context{which}']:.1f}" == alone
        assert f"{100 * facts[f'bayes_accuracy{which}']:.1f}" == together
    assert f"With the past alone it is {100 * facts['bayes_accuracy_past']:.1f}." in page


def test_two_emotions_are_told_apart_as_often_as_the_normal_distribution_says():
    facts = measured("text", "audio", labels=2, informativeness={"text": 0.8, "audio": 0.6}, test=2000).info.facts
    for name, distance in (("[text]", 0.8), ("[audio]", 0.6), ("", math.hypot(0.8, 0.6))):
        normal = 0.5 * (1 + math.erf(distance / math.sqrt(2)))
        assert facts[f"bayes_accuracy_no_context{name}"] == pytest.approx(normal, abs=0.01)


@pytest.mark.parametrize("settings", [{}, {"speakers": 3, "labels": 4, "missing": 0.4}, {"speakers": 1}])
def test_the_posterior_is_right_as_often_as_it_claims(settings):
    data = measured(test=800, **settings)
    batch = collate(data.split("test"))
    evidence_NC = sum(
        emission.log_likelihood(batch.features[m], batch.context.available[m]) for m, emission in data.emissions.items()
    )
    claimed_NC = data.chain.posterior(evidence_NC, batch.context.speaker, batch.context.layout)
    true_NC = torch.nn.functional.one_hot(batch.labels, claimed_NC.shape[1]).double()
    for low, high in ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
        rows = (claimed_NC >= low) & (claimed_NC < high)
        off = (true_NC[rows] - claimed_NC[rows]).mean().abs().item()
        assert off < 4 * (claimed_NC[rows] * (1 - claimed_NC[rows])).sum().sqrt().item() / rows.sum().item() + 1e-3


def test_a_wrong_idea_of_the_chain_does_worse():
    data, other = measured(persistence=0.95, pull=0.0, test=800), made(persistence=0.05, pull=0.9)
    batch = collate(data.split("test"))
    misled = bayes_facts(other.chain, data.emissions, batch)
    assert misled["bayes_accuracy"] < data.info.facts["bayes_accuracy"] - 0.05
    assert misled["bayes_accuracy_no_context"] == data.info.facts["bayes_accuracy_no_context"]


def equal(one, two) -> bool:
    return all(
        torch.equal(a.labels, b.labels)
        and torch.equal(a.speaker, b.speaker)
        and all(torch.equal(a.features[m], b.features[m]) for m in a.features.keys() & b.features.keys())
        for a, b in zip(one, two, strict=True)
    )


def test_the_same_settings_give_the_same_corpus_and_disturb_no_other_randomness():
    before = torch.get_rng_state()
    first = made(seed=7)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(123)
    assert all(equal(first.split(name), made(seed=7).split(name)) for name in ("train", "dev", "test"))
    assert first.info == made(seed=7).info
    lengths = [[len(d) for d in made(seed=seed).split("test")] for seed in (7, 8)]
    assert lengths[0] != lengths[1]


def test_another_set_of_modalities_keeps_the_conversations():
    assert equal(made().split("test"), made("audio").split("test"))
    assert made().info.facts["bayes_accuracy[audio]"] == made("audio").info.facts["bayes_accuracy"]


def test_more_training_dialogues_keep_the_test_split():
    assert equal(made().split("test"), made(train=50).split("test"))


def test_splits_are_not_copies_of_each_other():
    data = made(train=20, test=20)
    assert [len(d) for d in data.split("train")] != [len(d) for d in data.split("test")]


def test_a_corpus_is_what_was_asked_for():
    data = made(
        *("timing", "text"),
        train=40,
        min_turns=2,
        max_turns=5,
        labels=("calm", "tense"),
        speakers=3,
        widths={"timing": 7},
    )
    assert data.info.modalities == {"timing": 7, "text": 24}
    assert (data.info.labels, data.info.speakers, data.info.generated) == (("calm", "tense"), 3, True)
    assert data.info.splits == {"train": 40, "dev": 3, "test": 20}
    assert {len(d) for d in data.split("train")} == {2, 3, 4, 5}
    assert torch.cat([d.speaker for d in data.split("test")]).unique().tolist() == [0, 1, 2]
    dialogue = data.split("train")[0]
    assert {m: (x.shape, x.dtype) for m, x in dialogue.features.items()} == {
        "timing": ((len(dialogue), 7), torch.float32),
        "text": ((len(dialogue), 24), torch.float32),
    }
    assert [u.speaker for u in dialogue.utterances] == ["ABC"[s] for s in dialogue.speaker.tolist()]


def test_ids_are_unique():
    dialogues = [d for name in ("train", "dev", "test") for d in made().split(name)]
    assert len({d.id for d in dialogues}) == len(dialogues)
    assert len({u.id for d in dialogues for u in d.utterances}) == sum(len(d) for d in dialogues)


def test_a_split_of_no_dialogues_is_no_split():
    data = made(dev=0)
    assert list(data.split("dev")) == []
    assert "dev" not in data.info.splits


@pytest.mark.parametrize(("speakers", "turn_change"), [(1, 1.0), (2, 0.0), (2, 1.0), (3, 1.0), (3, 0.5)])
def test_the_turn_changes_as_often_as_asked(speakers, turn_change):
    changes = torch.cat(
        [d.speaker[1:] != d.speaker[:-1] for d in measured(speakers=speakers, turn_change=turn_change).split("test")]
    )
    expected = 0.0 if speakers == 1 else turn_change
    assert changes.double().mean().item() == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("modalities", "sets"),
    [
        (("text",), set()),
        (("text", "audio"), {"text", "audio"}),
        (("a", "b", "c", "d"), {"a", "b", "c", "d", "b+c+d", "a+c+d", "a+b+d", "a+b+c"}),
    ],
)
def test_facts_name_single_modalities_and_all_but_one(modalities, sets):
    names = made(*modalities, test=2).info.facts.keys()
    whole = {"bayes_accuracy", "bayes_accuracy_past", "bayes_accuracy_no_context"}
    assert names == whole | {
        f"{prefix}[{s}]" for s in sets for prefix in ("bayes_accuracy", "bayes_accuracy_no_context")
    }


def test_informativeness_and_width_are_what_they_say():
    noise = measured("text", informativeness=0.0).info.facts
    assert noise["bayes_accuracy"] == pytest.approx(CHANCE, abs=0.03)
    line = measured("text", widths=1, informativeness=10.0).info.facts
    assert line["bayes_accuracy_no_context"] > 0.9
    x_ND = collate(measured("text", informativeness=0.0).split("test")).features["text"]
    assert x_ND.std().item() == pytest.approx(1.0, abs=0.02)


def test_a_missing_row_is_zeros_and_says_nothing():
    data = measured(missing=0.3)
    batch = collate(data.split("test"))
    for m in THREE:
        available_N = batch.context.available[m]
        assert available_N.double().mean().item() == pytest.approx(0.7, abs=0.03)
        assert torch.equal(batch.features[m].abs().sum(dim=1) > 0, available_N)
    assert data.info.facts["bayes_accuracy"] < measured().info.facts["bayes_accuracy"]
    assert measured(missing=1.0).info.facts["bayes_accuracy"] == pytest.approx(CHANCE, abs=0.03)


def test_unscored_utterances_are_context_and_nothing_more():
    data, scored = measured(unscored_share=0.25), measured()
    labels = torch.cat([d.labels for d in data.split("test")])
    assert (labels == -1).double().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(collate(data.split("test")).features["text"], collate(scored.split("test")).features["text"])
    assert data.info.facts["bayes_accuracy"] == pytest.approx(scored.info.facts["bayes_accuracy"], abs=0.02)
    assert made(unscored_share=0.999, test=1).info.facts == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_turns": 9, "max_turns": 8}, "min_turns must be at most max_turns (got 9 and 8)"),
        ({"persistence": 0.8, "pull": 0.3}, "persistence + pull must be at most 1 (got 0.8 + 0.3)"),
        ({"labels": ("calm", "tense", "calm")}, "labels must differ from each other (got calm, tense, calm)"),
        (
            {"labels": 7, "speakers": 4},
            "labels to the power of speakers must be at most 1024, to keep the posterior exact (got 7 ** 4 = 2401)",
        ),
        ({"persistence": 1, "pull": 1, "speakers": 4}, "(got 1.0 + 1.0); labels to the power of speakers must"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ValidationError) as refusal:
        SyntheticConversations.Config(**settings)
    assert message in str(refusal.value)


@pytest.mark.parametrize("persistence", [0.9, 0.7, 0.0, 1.0])
def test_shares_may_add_up_to_one(persistence):
    facts = made(persistence=persistence, pull=round(1 - persistence, 1)).info.facts
    assert facts["bayes_accuracy"] > facts["bayes_accuracy_no_context"]


def test_groups_divide_the_dialogues_of_each_split_and_change_nothing_else():
    plain, grouped = (made(train=7, dev=3, test=3, groups=groups) for groups in (0, 3))
    for split in ("train", "dev", "test"):
        groups = [dialogue.group for dialogue in grouped.split(split)]
        assert groups == [f"session-{i % 3 + 1}" for i in range(len(groups))]
        for one, other in zip(plain.split(split), grouped.split(split), strict=True):
            assert one.group == ""
            assert torch.equal(one.features["text"], other.features["text"])
            assert torch.equal(one.labels, other.labels)
