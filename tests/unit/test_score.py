"""ercframe score: anybody's predictions, slices, and what is said of files that do not fit."""

import json
import shutil
from dataclasses import replace

import pytest
from small_corpus import bundle, dialogues

from ercframe import DialogueRecord, UtteranceRecord
from ercframe.cli.app import run_app
from ercframe.data.reader import Bundle
from ercframe.slices import Turns, slices

# Two test dialogues; Ann's emotion changes, Bob's stays, and one turn in between is not scored.
TURNS = {
    "t1": [("Ann", 0), ("Bob", 1), ("Ann", -1), ("Ann", 1), ("Bob", 1)],
    "t2": [("Bob", 0), ("Ann", 0), ("", 1), ("", 0), ("Cid", 1), ("Cid", 1)],
}


def conversations():
    return tuple(
        DialogueRecord(
            name, "test", tuple(UtteranceRecord(f"{name}_{i}", who, label) for i, (who, label) in enumerate(t))
        )
        for name, t in TURNS.items()
    )


def make_bundle(path):
    kept = tuple(replace(d, split="train") if d.id == "d4" else d for d in dialogues())
    cut = tuple(replace(d, utterances=tuple(replace(u, targets={}) for u in d.utterances)) for d in kept)
    bundle(path, dialogues=(*cut, *conversations()), features={})


@pytest.fixture
def data(tmp_path):
    make_bundle(tmp_path / "data")
    return tmp_path / "data"


def lines(**changes):
    """A right prediction for every scored turn, with changes by utterance; None leaves one out."""
    rows = {
        f"{name}_{i}": {"dialogue": name, "utterance": f"{name}_{i}", "prediction": ("joy", "anger")[label]}
        for name, turns in TURNS.items()
        for i, (_, label) in enumerate(turns)
        if label >= 0
    }
    return [row for row in (rows | changes).values() if row is not None]


def write(folder, rows):
    path = folder / "mine.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def scored(data, rows, *arguments):
    out = data.parent / "score.json"
    path = write(data.parent, rows)
    assert run_app(["score", str(path), "--bundle", str(data), "--json", str(out), *arguments]) == 0
    return json.loads(out.read_text())


def refused(capsys, data, rows, *arguments):
    assert run_app(["score", str(write(data.parent, rows)), "--bundle", str(data), *arguments]) == 2
    return capsys.readouterr().err


def wrong(utterance, **changes):
    return {utterance: {"dialogue": utterance[:2], "utterance": utterance, "prediction": "joy"} | changes}


def test_all_right(data, capsys):
    found = scored(data, lines())
    assert (found["turns"], found["dialogues"]) == (10, 2)
    assert found["scores"]["accuracy"] == {"value": 1.0, "std": None, "low": 1.0, "high": 1.0}
    assert found["confusion"] == [[4, 0], [0, 6]]
    assert found["f1"]["joy"] == {"value": 1.0, "std": None, "low": 1.0, "high": 1.0, "support": 4}
    out = capsys.readouterr().out
    assert "mine.jsonl on small, test: 10 turns, 2 dialogues" in " ".join(out.split())
    assert "fewer than 20 dialogues: the intervals are too narrow" in out


def test_the_interval_goes_from_the_worse_dialogue_to_the_better(data):
    found = scored(data, lines(**wrong("t1_1"), **wrong("t1_3")))
    assert found["scores"]["accuracy"] == {"value": 0.8, "std": None, "low": 0.5, "high": 1.0}


def test_probabilities_stand_for_the_likeliest(data):
    by_probability = {"prediction": None, "probabilities": {"joy": 0.5, "anger": 0.5}}
    assert scored(data, lines(**wrong("t1_0", **by_probability)))["scores"]["accuracy"]["value"] == 1
    by_probability["probabilities"] = {"joy": 0.4, "anger": 0.6}
    assert scored(data, lines(**wrong("t1_0", **by_probability)))["scores"]["accuracy"]["value"] == 0.9


def test_other_splits_and_other_keys_are_left_alone(data):
    rows = [{"split": "dev", "dialogue": "nowhere"}, *({**row, "split": "test", "text": "Hi"} for row in lines())]
    assert scored(data, rows)["turns"] == 10


def test_predictions_of_unscored_turns_are_counted_and_left_out(data, capsys):
    found = scored(data, lines(**wrong("t1_2")))
    assert (found["turns"], found["predictions"]["unscored"]) == (10, 1)
    assert "left out: 1" in capsys.readouterr().out


def test_a_label_map(data, tmp_path):
    (tmp_path / "map.yaml").write_text("joy: good\nanger: bad\n")
    rows = [{**row, "prediction": {"joy": "good", "anger": "bad"}[row["prediction"]]} for row in lines()]
    assert scored(data, rows, "--labels", str(tmp_path / "map.yaml"))["labels"] == ["good", "bad"]


def test_slices_divide_the_scored_turns(data):
    found = scored(data, lines(**wrong("t1_3")))
    by = {}
    for one in found["slices"]:
        by.setdefault(one["by"], {})[one["name"]] = (one["turns"], one["scores"]["accuracy"]["value"])
    assert by["emotion"] == {"shift": (1, 0.0), "stable": (2, 1.0), "speaker's first": (7, 1.0)}
    assert by["turn before"] == {"same speaker": (2, 0.5), "another speaker": (6, 1.0), "none": (2, 1.0)}
    assert by["position"] == {"first turn": (2, 1.0), "turns 2 to 5": (7, 6 / 7), "turns 6 to 10": (1, 1.0)}
    assert by["dialogue length"] == {"1 to 5 turns": (4, 0.75), "6 to 10 turns": (6, 1.0)}
    assert by["speaker"] == {"(others)": (10, 0.9)}


def test_names_are_shown_as_they_are(data, capsys, monkeypatch):
    monkeypatch.setattr("ercframe.slices.FEWEST", 1)
    monkeypatch.setitem(TURNS, "t2", [("[/Bob]", label) for _, label in TURNS["t2"]])
    shutil.rmtree(data)
    make_bundle(data)
    scored(data, lines())
    assert "[/Bob]" in capsys.readouterr().out


def test_speakers_with_enough_turns_have_a_slice(data, monkeypatch):
    monkeypatch.setattr("ercframe.slices.FEWEST", 3)
    opened = Bundle(data)
    turns = Turns.of(opened, "test", opened.label)
    names = [one.name for one in slices(turns) if one.by == "speaker"]
    assert names == ["Ann", "Bob", "(others)"]
    assert [one.name for one in slices(turns, "sides") if one.by == "side"] == names
    assert not [one for one in slices(turns, None) if one.by in ("speaker", "side")]


def test_all_problems_at_once_each_with_its_line(data, capsys):
    rows = [
        "{",
        "[1]",
        {"dialogue": "t1", "utterance": 3, "prediction": "joy"},
        {"dialogue": "d1", "utterance": "d1_0", "prediction": "joy"},
        {"dialogue": "t9", "utterance": "t9_0", "prediction": "joy"},
        {"dialogue": "t1", "utterance": "t1-0", "prediction": "joy"},
        *lines(**wrong("t1_0", prediction="angr"), t2_5=None),
        lines()[1],
    ]
    told = [" ".join(line.split()) for line in refused(capsys, data, rows).splitlines()]
    assert told[0] == f"9 problems in {data.parent / 'mine.jsonl'}"
    assert told[1].startswith("mine.jsonl:1 must be JSON")
    assert told[2] == "mine.jsonl:2 must be a JSON object with dialogue, utterance and prediction (got [1])"
    assert told[3:10] == [
        "mine.jsonl:3 utterance must be the id that the bundle has, as text (got 3)",
        "mine.jsonl:4 d1, d1_0 must be of test (the dialogue is of train)",
        "mine.jsonl:5 t9, t9_0 the bundle has no dialogue 't9'",
        "mine.jsonl:6 t1, t1-0 the dialogue has no utterance 't1-0'; did you mean 't1_0'?",
        "mine.jsonl:7 prediction must be one of joy, anger (got 'angr'); did you mean 'anger'?",
        "mine.jsonl:16 t1, t1_1 must be predicted once (line 8 has it already)",
        "mine.jsonl t2, t2_5 must be predicted (the file does not have it)",
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"joy": 1.0}, "must be a number for each of joy, anger"),
        ({"joy": 2.0, "anger": -1.0}, "must be numbers from 0 to 1"),
        ({"joy": "1", "anger": 0}, "must be numbers from 0 to 1"),
        ({"joy": 0.8, "anger": 0.9}, "must sum up to 1 (got 1.7)"),
    ],
)
def test_probabilities_that_are_none(data, capsys, given, told):
    assert told in refused(capsys, data, lines(**wrong("t1_0", prediction=None, probabilities=given)))


def test_nothing_to_score_or_to_read(data, capsys, tmp_path):
    assert "it has train, dev, test (got 'tset')" in refused(capsys, data, lines(), "--split", "tset")
    assert "must be predicted (the file does not have it)" in refused(capsys, data, [])
    assert run_app(["score", str(tmp_path / "none.jsonl"), "--bundle", str(data)]) == 2
    assert "none.jsonl cannot be read: No such file" in capsys.readouterr().err
    assert run_app(["score", str(write(tmp_path, lines())), "--bundle", str(tmp_path / "none")]) == 2
    assert "no bundle at" in capsys.readouterr().err
