"""`ercframe check RECIPE` refuses what `run` refuses, says what would be trained, and trains nothing."""

import json

import pytest
import yaml

from ercframe.cli.app import run_app

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 6, "dev": 3, "test": 3, "labels": 4},
    "encoder": {"type": "identity", "width": 8},
    "fusion": {"type": "concat"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 4, "batch_dialogues": 2, "device": "cpu"},
    "protocol": {"seeds": [3, 5]},
}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Write a variation of a tiny recipe as ``mine.yaml`` of the current directory."""
    monkeypatch.chdir(tmp_path)

    def write(**slots):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(TINY | slots, sort_keys=False))
        return "mine.yaml"

    return write


def test_it_says_what_would_be_trained_and_leaves_nothing_behind(recipe, tmp_path, capsys):
    assert run_app(["check", recipe(), "trainer.epochs=1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "mine can be trained.",
        "  data        synthetic: text 32, audio 24; 4 emotions",
        "              GENERATED DATA: these conversations were drawn from a model,",
        "              nobody spoke them",
        "  dialogues   6 train, 3 dev, 3 test; dev: the corpus's own",
        "  parameters  532: encoder 464, classifier 68",
        "  training    2 seeds × 1 epoch; batches of 2 dialogues",
        "  device      cpu",
        "  protocol    heldout, epochs chosen by weighted f1",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_it_is_told_as_json_too(recipe, tmp_path):
    assert run_app(["check", recipe(), "--json", "found.json"]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found == {
        "format": 1,
        "recipe": "mine.yaml",
        "ready": True,
        "problems": [],
        "warnings": [],
        "device": "cpu",
        "parameters": {"encoder": 464, "fusion": 0, "classifier": 68, "losses.task": 0},
        "corpus": "synthetic",
        "generated": True,
        "modalities": {"text": 32, "audio": 24},
        "dialogues": {"train": 6, "dev": 3, "test": 3},
        "protocol": "heldout",
        "seeds": [3, 5],
        "epochs": 4,
        "batch_dialogues": 2,
    }


@pytest.mark.parametrize(
    "slots",
    [
        {"encoder": {"type": "identity", "widht": 8}},
        {"dataset": {"type": "bundle", "path": "nowhere"}},
        {"fusion": {"type": "tensor"}, "losses": {"task": {"type": "self_distillation"}}},
        {"encoder": {"type": "intra_inter_transformer", "width": 8, "heads": 2}},
        {"trainer": {"device": "cuda:99"}},
    ],
    ids=["a misspelt key", "no data", "parts that do not fit", "streams that nobody reads", "no such device"],
)
def test_what_run_refuses_is_refused_in_the_same_words(recipe, slots, capsys):
    path = recipe(**slots)
    assert run_app(["run", path]) == 2
    refused = capsys.readouterr().err
    assert run_app(["check", path]) == 2
    assert capsys.readouterr().err == refused != ""


def test_what_is_wrong_is_told_as_json_too(recipe, tmp_path):
    path = recipe(encoder={"type": "identity", "widht": 8}, trainer={"epochs": 0})
    assert run_app(["check", path, "--json", "found.json"]) == 2
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["format"], found["ready"]) == (1, False)
    assert [(p["what"], p["message"]) for p in found["problems"]] == [
        ("encoder.widht", "unknown key; did you mean 'width'?"),
        ("trainer.epochs", "must be at least 1 (got 0)"),
    ]


def test_missing_data_comes_with_its_help(recipe, capsys):
    assert run_app(["check", recipe(dataset={"type": "bundle", "path": "nowhere"}, data_help="Ask the authors.")]) == 2
    assert capsys.readouterr().err.endswith("\n\nAsk the authors.\n")
