"""Predicting new conversations in Python: as in training, without the bundle, with parts missing, one by one."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from predicting import as_lines, train, write

from ercframe import InputError, Turn, load_predictor, plugins, read_conversations
from ercframe.calibration import calibrated, fit_temperature, recorded
from ercframe.prediction.features import require_media
from ercframe.prediction.live import LivePredictor
from ercframe.prediction.predictor import as_conversation

ANN = Turn(speaker="Ann", text="aeiou and a half")
BOB = Turn(speaker="Bob", text="see me")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    train(folder)
    return folder


@pytest.fixture
def run(place):
    (path,) = (place / "runs" / "small").iterdir()
    return path


@pytest.fixture
def load(run, place):
    return lambda path=run, **options: load_predictor(path, plugins=[place / "extractors.py"], device="cpu", **options)


def probabilities(predictions):
    return np.array([list(p.probabilities.values()) for p in predictions])


def test_a_conversation_of_the_corpus_gets_what_the_run_recorded(load, place, tmp_path):
    predictor = replace(load(), temperature=None)
    found = {}
    for conversation in read_conversations(write(tmp_path / "t.jsonl", as_lines(place / "bundle"))):
        found |= {p.utterance: p for p in predictor.predict(conversation, place / "media")}
    recorded = predictor.run.folder.seed(predictor.members[0].seed.seed).read_predictions("test")
    assert len(recorded) == len(found) == 10
    for row in recorded:
        mine = found[row["utterance"]]
        assert mine.emotion == row["prediction"]
        assert mine.probabilities == pytest.approx(row["probabilities"], abs=2e-6)
        assert list(mine.modality_weights.values()) == pytest.approx(row["weights"]["modality"], abs=2e-6)
        assert not mine.missing


def test_a_run_on_held_out_groups_predicts_as_it_was_trained(tmp_path):
    run = train(tmp_path, protocol={"seeds": 1, "test_groups": ["g1"]})
    predictor = replace(load_predictor(run, plugins=[tmp_path / "extractors.py"], device="cpu"), temperature=None)
    lines = [line for split in ("train", "dev", "test") for line in as_lines(tmp_path / "bundle", split)]
    found = {}
    for conversation in read_conversations(write(tmp_path / "t.jsonl", lines)):
        found |= {p.utterance: p for p in predictor.predict(conversation, tmp_path / "media")}
    recorded = predictor.run.folder.seed(0).read_predictions("test")
    assert {row["dialogue"] for row in recorded} == {"d1", "d3", "d5"}
    for row in recorded:
        assert found[row["utterance"]].probabilities == pytest.approx(row["probabilities"], abs=2e-6)
    warnings = predictor.run.summary["dataset"]["warnings"]
    assert warnings == ["centred: centred learnt from the corpus's own train, which has 1 of the 3 test dialogues"]


def test_the_bundle_may_be_gone(place, run, tmp_path):
    def answers(path, extractors):
        predictor = load_predictor(path, plugins=[extractors], device="cpu", drop=["audio"])
        return probabilities(predictor.predict([ANN, BOB]))

    moved = shutil.copytree(run, tmp_path / "moved")
    text = (moved / "recipe.yaml").read_text()
    (moved / "recipe.yaml").write_text(text.replace(str(place / "bundle"), str(tmp_path / "gone")))
    assert (answers(moved, place / "extractors.py") == answers(run, place / "extractors.py")).all()


def test_an_ensemble_is_the_mean_of_all_seeds_at_a_temperature_of_its_own(load):
    both = load(ensemble=True)
    raw = [probabilities(replace(load(seed=seed), temperature=None).predict([ANN, BOB])) for seed in (0, 1)]
    found = both.predict([ANN, BOB])
    assert np.allclose(probabilities(found), calibrated(np.mean(raw, axis=0), both.temperature))
    dev = [recorded(both.run.folder.seed(seed).read_predictions("dev"), both.labels) for seed in (0, 1)]
    assert both.temperature == fit_temperature((dev[0][0] + dev[1][0]) / 2, dev[0][1])
    assert both.temperature not in [load(seed=seed).temperature for seed in (0, 1)]
    assert found[0].row()["seeds"] == [0, 1]
    weights = [load(seed=seed).predict([ANN, BOB])[0].modality_weights["text"] for seed in (0, 1)]
    assert found[0].modality_weights["text"] == pytest.approx(sum(weights) / 2)
    assert weights[0] != weights[1]


def test_one_seed_is_no_ensemble(load):
    assert "seeds" not in load().predict([ANN])[0].row()
    with pytest.raises(InputError, match="--ensemble and --seed exclude each other"):
        load(seed=1, ensemble=True)


def test_seeds_that_predicted_other_turns_of_dev_are_no_ensemble(load, run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    path = other / "seed-1" / "predictions.jsonl"
    path.write_text("".join(line for i, line in enumerate(path.read_text().splitlines(keepends=True)) if i))
    with pytest.raises(InputError, match="must have predicted the same utterances of dev"):
        load(other, ensemble=True)


def test_an_ensemble_answers_turn_by_turn(load, place):
    both = load(ensemble=True)
    live = LivePredictor(both, place / "media")
    answers = [live.answer(turn) for turn in (ANN, BOB)]
    assert np.allclose(probabilities(answers), probabilities(both.predict([ANN, BOB])))


def test_probabilities_are_those_of_the_model_at_the_temperature_of_dev(load):
    predictor = load()
    raw = probabilities(replace(predictor, temperature=None).predict([ANN, BOB]))
    assert predictor.temperature is not None
    assert np.allclose(probabilities(predictor.predict([ANN, BOB])), calibrated(raw, predictor.temperature))


def test_without_dev_nothing_is_calibrated(load, run, tmp_path):
    other = shutil.copytree(run, tmp_path / "run")
    for seed in (0, 1):
        path = other / f"seed-{seed}" / "predictions.jsonl"
        path.write_text("".join(line + "\n" for line in path.read_text().splitlines() if '"test"' in line))
    predictor = load(other)
    assert predictor.temperature is None
    assert predictor.predict([ANN])[0].row()["calibrated"] is False


def test_what_a_turn_lacks_is_said_and_the_others_predict(load):
    (first, second) = load().predict([ANN, Turn(speaker="Bob", text=" ")])
    assert first.missing == {"audio": "no audio"}
    assert second.missing == {"text": "no text", "centred": "no text", "audio": "no audio"}
    assert sum(second.probabilities.values()) == pytest.approx(1)
    assert second.row()["missing"] == second.missing


def test_a_dropped_modality_is_as_one_that_no_turn_has(load):
    dropped = load(drop=["audio"]).predict([ANN, BOB])
    assert [p.missing for p in dropped] == [{"audio": "dropped"}] * 2
    assert (probabilities(dropped) == probabilities(load().predict([ANN, BOB]))).all()


def test_one_turn(load):
    assert len(load(drop=["audio"]).predict([ANN])) == 1


def test_no_turn(load):
    with pytest.raises(InputError, match=r"^a conversation must have at least one turn \(got none\)$"):
        load().predict([])


@pytest.mark.parametrize(
    ("drop", "told"),
    [
        (["smell"], r"drop  must name modalities of the run, text, centred, audio \(got 'smell'\)"),
        (["text", "centred", "audio"], "at least one modality must stay"),
    ],
)
def test_wrong_drops(load, drop, told):
    with pytest.raises(InputError, match=told):
        load(drop=drop)


def test_every_modality_that_cannot_be_computed_is_listed(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "run")
    path = other / "inputs" / "inputs.json"
    words = json.loads(path.read_text())
    words["modalities"]["audio"]["modality"]["extractor"] = "imported"
    path.write_text(json.dumps(words))
    with pytest.raises(InputError) as caught:
        load_predictor(other)
    assert [problem.what for problem in caught.value.problems] == ["text", "centred", "audio"]
    assert "unknown extractor 'letters'" in str(caught.value)
    assert "audio    its features were imported" in str(caught.value)
    assert "--drop NAME" in str(caught.value)


def test_features_may_be_given_instead(load, place):
    conversation = [ANN, BOB]
    both = load(drop=["audio"])
    raw = both.gather(as_conversation(conversation)).values["text"]
    given = load(drop=["audio"], given=["text"])
    found = given.predict(conversation, features={"text": raw})
    assert (probabilities(found) == probabilities(both.predict(conversation))).all()
    with pytest.raises(InputError, match=r"features of 'text' must have shape \(2, 3\) \(got \(1, 3\)\)"):
        given.predict(conversation, features={"text": raw[:1]})
    with pytest.raises(InputError, match=r"declared as given, text \(got none\)"):
        given.predict(conversation)


def test_speakers_that_the_model_has_no_row_for_are_unknown(load):
    intake = load().intake

    def ids(speaking, **changes):
        speakers = intake.speakers.model_copy(update=changes)
        return replace(intake, speakers=speakers).speaker_ids(speaking).tolist()

    assert ids(["Zoe", "Ann", "Zoe", "", "Bob"], ids="order", count=2) == [0, 1, 0, 2, 2]
    assert ids(["Zoe", "Ann", "", "Bob"], ids="corpus", count=2, names=("Bob", "Ann")) == [2, 1, 2, 0]


def test_a_run_of_before_reads_the_bundle(load, run, place, tmp_path):
    old = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(old / "inputs")
    assert (probabilities(load(old).predict([ANN])) == probabilities(load().predict([ANN]))).all()
    text = (old / "recipe.yaml").read_text()
    (old / "recipe.yaml").write_text(text.replace(str(place / "bundle"), str(tmp_path / "gone")))
    with pytest.raises(InputError, match=r"kept nothing for predicting, and its data cannot be opened: .*no bundle"):
        load(old)


@pytest.mark.parametrize("name", ["inputs.json", "statistics.safetensors", "centred.fitted.safetensors"])
def test_damaged_inputs(load, run, tmp_path, name):
    other = shutil.copytree(run, tmp_path / "run")
    (other / "inputs" / name).write_text("{}")
    with pytest.raises(InputError, match=r"damaged|cannot be read"):
        load(other)


def test_recordings_that_are_named_but_not_there_are_listed(load, place, tmp_path):
    lines = as_lines(place / "bundle")[:2]
    conversations = read_conversations(write(tmp_path / "t.jsonl", lines))
    predictor = load()
    require_media(conversations, place / "media", predictor.sources, "t.jsonl")
    with pytest.raises(InputError, match=r"t.jsonl:1  media.audio  must be a file(.|\n)*t.jsonl:2"):
        require_media(conversations, tmp_path, predictor.sources, "t.jsonl")
    require_media(conversations, tmp_path, load(drop=["audio"]).sources, "t.jsonl")


# One by one


def test_turns_answered_one_by_one_get_what_the_whole_conversation_gives(load, place, tmp_path):
    predictor = load()
    lines = as_lines(place / "bundle")
    whole = read_conversations(write(tmp_path / "t.jsonl", lines))
    wanted = [p for conversation in whole for p in predictor.predict(conversation, place / "media")]
    live = LivePredictor(predictor, place / "media")
    turns = [turn for conversation in whole for turn in conversation.turns]
    mixed = [*turns[0:3], *turns[5:8], *turns[3:5], *turns[8:10]]  # of two dialogues, in turns
    found = {turn.id: live.answer(turn) for turn in mixed}
    assert np.allclose(probabilities(found[p.utterance] for p in wanted), probabilities(wanted), atol=1e-6)


def test_features_of_a_turn_are_computed_once(load, place):
    from extracting import calls

    live = LivePredictor(load(drop=["audio", "centred"]))
    calls(place)
    for _ in range(3):
        live.answer(ANN)
    assert calls(place) == ["extract aeiouhalf"] * 3


def test_a_recording_shared_with_an_earlier_turn_is_refused(load, place):
    live = LivePredictor(load(), place / "media")
    turn = Turn.model_validate({"speaker": "Ann", "text": "a", "media": {"audio": "d0_0.wav"}})
    live.answer(turn)
    with pytest.raises(InputError, match=r"^turn live_1: media must be a recording of this turn alone"):
        live.answer(turn)
    assert live.answer(BOB).utterance == "live_1"  # as if the refused one had not come


def test_a_model_that_looks_ahead_says_which_setting_would_keep_it_from_that(load):
    predictor = load()
    predictor.members[0].learner.model.encoder.sees_future = True
    with pytest.raises(InputError) as caught:
        LivePredictor(predictor)
    assert "encoder  'intra_inter_transformer' must see no future; encoder.window={future: 0} does that" in str(
        caught.value
    )
    assert str(caught.value).endswith(f"ercframe run {predictor.run.folder.path} 'encoder.window={{future: 0}}'")
    predictor.members[0].learner.model.fusion.sees_future = True
    with pytest.raises(InputError, match=r"fusion   'hierarchical_gated' always sees the future; take another$"):
        LivePredictor(predictor)


def test_what_parts_say_would_make_them_causal_does():
    from ercframe import DatasetInfo
    from ercframe.recipes.overrides import parse_overrides

    info = DatasetInfo("d", ("joy", "anger"), {"text": 3, "audio": 2}, 2, class_counts=(1, 1))
    helped = [entry.component for entry in plugins.load().entries("encoder") if entry.component.causal_help]
    assert len(helped) >= 3
    for kind in helped:
        tree, findings = parse_overrides(kind.causal_help)
        assert not findings
        settings = tree.children["encoder"].plain()
        with torch.device("meta"):
            assert kind(kind.Config(), info).sees_future
            assert not kind(kind.Config(**settings), info).sees_future
