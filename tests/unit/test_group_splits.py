"""Splits of whole groups: who is where, what is refused, and what of the data is learnt anew."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from small_corpus import bundle as small_bundle
from small_corpus import corpus, dialogues, edited
from varied import TINY, variations

from ercframe import Dialogue, Dialogues, InputError, recipes
from ercframe.build import assemble
from ercframe.data.dialogues import Joined, Selected, outline_of
from ercframe.groups import in_order
from ercframe.protocol import divide
from ercframe.settings import ProtocolSettings

GROUPED = {**TINY, "dataset": {**TINY["dataset"], "groups": 3}}


@pytest.fixture
def tiny(tmp_path):
    """10 dialogues in train, 4 in dev, 4 in test, dealt to three groups in turn."""
    return variations(tmp_path, GROUPED)


def groups(found):
    return {dialogue.group for dialogue in found}


def ids(found):
    return {dialogue.id for dialogue in found}


def problems(assembled, *overrides):
    with pytest.raises(InputError) as caught:
        assembled(*overrides)
    return [(p.where, p.what, p.message) for p in caught.value.problems]


class TestWhoIsWhere:
    def test_test_is_the_groups_wherever_the_corpus_had_them(self, tiny):
        splits = tiny("protocol.test_groups=[session-2]").splits
        assert groups(splits.test) == {"session-2"}
        assert {name.partition("-")[0] for name in ids(splits.test)} == {"train", "dev", "test"}
        assert groups(splits.train) | groups(splits.dev) == {"session-1", "session-3"}
        parts = [ids(part) for part in (splits.train, splits.dev, splits.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 18
        assert splits.test_origin == "group session-2"
        assert splits.dev_origin == "carved from train: 1 of 13 dialogues"

    def test_several_groups_and_a_dev_of_groups(self, tiny):
        splits = tiny("protocol.test_groups=[session-1]", "protocol.dev_groups=[session-3]").splits
        assert [groups(part) for part in (splits.train, splits.dev, splits.test)] == [
            {"session-2"},
            {"session-3"},
            {"session-1"},
        ]
        assert splits.dev_origin == "group session-3"
        assert tiny("protocol.test_groups=[session-1,session-3]").splits.test_origin == "groups session-1, session-3"

    def test_under_paper_all_other_groups_are_trained_on(self, tiny):
        splits = tiny("protocol.test_groups=[session-1]", "protocol.name=paper").splits
        assert (groups(splits.train), len(splits.dev), splits.dev_origin) == ({"session-2", "session-3"}, 0, "no dev")

    def test_classes_are_counted_on_what_is_trained_on(self, tiny):
        experiment = tiny("protocol.test_groups=[session-1]")
        labels = torch.cat([dialogue.labels for dialogue in experiment.splits.train])
        assert experiment.info.class_counts == tuple(torch.bincount(labels, minlength=4).tolist())

    def test_facts_of_the_corpus_own_test_are_not_told_of_another(self, tiny):
        assert tiny().info.facts
        assert not tiny("protocol.test_groups=[session-1]").info.facts

    def test_without_groups_nothing_is_another_split(self, tiny):
        splits = tiny().splits
        assert (splits.test_origin, splits.dev_origin, splits.warnings) == ("the corpus's own", "the corpus's own", ())


class TestRefused:
    def test_unknown_groups_of_test_and_dev_at_once_with_their_place(self, tiny):
        assert problems(tiny, "protocol.test_groups=[sesion-1,x]", "protocol.dev_groups=[y]") == [
            (
                "command line",
                "protocol.test_groups",
                "must name groups of the corpus, session-1, session-2, session-3 (got sesion-1, x); "
                "did you mean 'session-1'?",
            ),
            (
                "command line",
                "protocol.dev_groups",
                "must name groups of the corpus, session-1, session-2, session-3 (got y)",
            ),
        ]

    def test_no_group_left_to_train_on(self, tiny):
        told = "must leave a group to train on (test has all 3 of the corpus)"
        every = "protocol.test_groups=[session-1,session-2,session-3]"
        assert problems(tiny, every) == [("command line", "protocol.test_groups", told)]
        two = ["protocol.test_groups=[session-1,session-2]", "protocol.dev_groups=[session-3]"]
        assert problems(tiny, *two)[0][2] == told.replace("test has", "test and dev have")

    def test_a_corpus_without_groups(self, tiny):
        told = "needs a group, such as a recording session, for each of the 18 dialogues (none has)"
        found = problems(tiny, "dataset.groups=0", "protocol.test_groups=[session-1]")
        assert found == [("command line", "protocol.test_groups", told)]

    def test_a_dialogue_without_a_group_could_be_of_any(self, tmp_path):
        some = tuple(replace(d, group=d.id[:1] * (d.id != "d3")) for d in dialogues())
        with pytest.raises(InputError, match=r"for each of the 3 dialogues \(1 lack it, such as d3\)"):
            on_bundle(tmp_path, "protocol.test_groups=[d]", dialogues=some)

    def test_nothing_scored_left(self, tmp_path):
        grouped = tuple(replace(d, group=d.id) for d in dialogues())
        unscored = ["protocol.test_groups=[d4]", "dataset.unscored=context"]
        told = r"there are none in test \(test: group d4; dev: carved from train: 1 of 3 dialogues\)"
        with pytest.raises(InputError, match=told):
            on_bundle(tmp_path, *unscored, dialogues=grouped)

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({"dev_groups": ["a"]}, "dev_groups needs test_groups (got none)"),
            ({"test_groups": ["a", "a"]}, "test_groups must differ from each other (got a, a)"),
            (
                {"test_groups": ["a", "b"], "dev_groups": ["b"]},
                "a group must be in test_groups or in dev_groups (got b in both)",
            ),
            (
                {"name": "paper", "test_groups": ["a"], "dev_groups": ["b"]},
                "protocol 'paper' has no dev, so dev_groups must be left out",
            ),
            ({"test_groups": []}, "at least 1 item"),
        ],
    )
    def test_settings_that_contradict_each_other(self, settings, told):
        with pytest.raises(ValueError, match="ProtocolSettings") as caught:
            ProtocolSettings.model_validate_json(json.dumps(settings), strict=True)
        assert told in str(caught.value)


def on_bundle(folder: Path, *overrides: str, **changes):
    """An experiment on the small corpus as a bundle, whose dialogue d4 has nothing scored."""
    folder.mkdir(exist_ok=True)
    small_bundle(folder / "bundle", **changes)
    recipe = {**TINY, "dataset": {"type": "bundle", "path": str(folder / "bundle")}}
    (folder / "on_bundle.yaml").write_text(yaml.safe_dump(recipe))
    return assemble(recipes.load(folder / "on_bundle.yaml", overrides))


def by_dialogue(**changes):
    """The small corpus with a group for each dialogue, of which each has its own people."""
    scored = edited(lambda u: replace(u, label=max(u.label, 0)))
    return tuple(replace(d, group=d.id, **changes) for d in scored)


class TestWhatIsLearntFromTrain:
    def test_features_are_standardised_with_what_is_trained_on(self, tmp_path):
        experiment = on_bundle(
            tmp_path, "protocol.test_groups=[d1]", "protocol.dev_groups=[d3]", dialogues=by_dialogue()
        )
        assert ids(experiment.splits.train) == {"d2", "d4"}
        rows = [(7.0, 9.0, 15.0), (5.0, 5.0, 5.0)]  # of the first two columns of text in d2 and d4
        (statistics,) = [p.statistics for m, p in experiment.dataset.intake().modalities.items() if m == "text"]
        np.testing.assert_allclose(statistics.mean[:2], [np.mean(r) for r in rows], rtol=1e-6)
        np.testing.assert_allclose(statistics.scale[:2], [np.std(rows[0]), 1.0], rtol=1e-6)
        text = torch.cat([dialogue.features["text"] for dialogue in experiment.splits.train])
        assert abs(float(text[:, 0].mean())) < 1e-6
        first = experiment.splits.test[0].features["text"][0, 0]
        assert float(first) == pytest.approx((1 - np.mean(rows[0])) / np.std(rows[0]))
        held = experiment.dataset.intake().modalities["text"].modality.standardisation
        assert (held.rows, held.constant) == (3, (1,))

    def test_of_the_corpus_own_train_they_are_those_of_the_bundle(self, tmp_path):
        experiment = on_bundle(tmp_path, dialogues=by_dialogue(), features=corpus().features)
        again = experiment.dataset.fitted_on(["d1", "d2"])
        assert experiment.dataset.fitted_on(["d2"]) is not experiment.dataset
        for m, preparation in experiment.dataset.intake().modalities.items():
            fitted = again.intake().modalities[m]
            np.testing.assert_allclose(fitted.statistics.mean, preparation.statistics.mean, rtol=1e-6)
            np.testing.assert_allclose(fitted.statistics.scale, preparation.statistics.scale, rtol=1e-6)
            assert fitted.modality == preparation.modality

    def test_people_in_test_and_in_train_are_warned_of_but_no_sides(self, tmp_path):
        experiment = on_bundle(tmp_path, "protocol.test_groups=[d3]", dialogues=by_dialogue())
        assert experiment.splits.warnings == (
            "speakers: 2 of 2 speakers of test speak in train or dev, too, so the split is not speaker-independent: "
            "Ann, Eve",
        )
        assert on_bundle(tmp_path / "alone", "protocol.test_groups=[d4]", dialogues=by_dialogue()).splits.warnings == ()
        sides = tuple(
            replace(d, utterances=tuple(replace(u, speaker="F") for u in d.utterances)) for d in by_dialogue()
        )
        found = on_bundle(tmp_path / "sides", "protocol.test_groups=[d3]", dialogues=sides)
        assert found.splits.warnings == ()

    def test_an_extractor_that_learnt_from_what_is_test_now_is_warned_of(self, tmp_path):
        experiment = on_bundle(tmp_path, dialogues=by_dialogue())
        text = experiment.dataset.features["text"]
        learnt = text.modality.model_copy(update={"fitted": "features/text.fitted.safetensors", "extractor": "tfidf"})
        text.modality = learnt
        warned = divide(experiment.dataset, ProtocolSettings(test_groups=("d4", "d1"))).warnings
        assert "text: tfidf learnt from the corpus's own train, which has 1 of the 2 test dialogues" in warned
        assert divide(experiment.dataset, ProtocolSettings(test_groups=("d4",))).warnings == ()


class TestOutlines:
    def test_an_outline_has_everything_but_features(self, tmp_path):
        dataset = on_bundle(tmp_path, dialogues=by_dialogue()).dataset
        for split in ("train", "dev", "test"):
            found = dataset.split(split)
            for i in range(len(found)):
                whole, outline = found[i], outline_of(found, i)
                assert (outline.features, outline.available) == ({}, {})
                assert (outline.id, outline.group, list(outline.utterances)) == (
                    whole.id,
                    whole.group,
                    list(whole.utterances),
                )
                assert torch.equal(outline.labels, whole.labels)

    def test_it_is_asked_for_through_selections_without_reading_features(self):
        class Unread(Dialogues):
            def __len__(self):
                return 3

            def read(self, index):
                raise AssertionError("features were read")

            def labels(self, index):
                return torch.zeros(1)

            def outline(self, index):
                empty = torch.zeros(0, dtype=torch.long)
                return Dialogue(f"d{index}", {}, {}, empty, empty, [], group=f"g{index}")

        joined = Joined(Selected(Unread(), [2, 0]), Unread()[1:])
        assert [outline_of(joined, i).group for i in range(len(joined))] == ["g2", "g0", "g1", "g2"]

    def test_of_a_list_it_is_the_dialogue_less_its_features(self, tiny):
        found = tiny().splits.train
        assert outline_of(list(found), 1).id == found[1].id
        assert outline_of(list(found), 1).features == {}


def test_names_with_numbers_are_in_the_order_of_these():
    assert in_order(["s10", "s2", "a", "s1", "s2", "2", "", "s1b"]) == ["", "2", "a", "s1", "s1b", "s2", "s10"]
