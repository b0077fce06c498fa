"""`ercframe check --learn`: what a part reaches of what is possible, the same every time."""

import json

import pytest
from test_check_components import SOUND, write  # noqa: F401 - a fixture

from ercframe import plugins
from ercframe.cli.app import run_app
from ercframe.testing.yardstick import Learnt, Row, learn

QUICK = ["dataset.train=8", "dataset.test=4", "dataset.dev=1", "trainer.epochs=1", "protocol.seeds=1"]


def learnt(alone, together, utterances=2000, best=0.8):
    rows = [Row((m,), 0.5, 0.7, {"mine": (share,)}) for m, share in alone.items()]
    return Learnt("fusion", "mine", utterances, (*rows, Row(tuple(alone), best, 0.97, {"mine": (together,)})))


def test_a_fusion_that_gains_fuses():
    assert learnt({"text": 0.5, "audio": 0.4}, 0.7).verdict() == (
        "It fuses: +20.0 points with all modalities against the best one alone, text."
    )


def test_a_gain_that_may_be_luck_is_none():
    assert learnt({"text": 0.5, "audio": 0.4}, 0.51).verdict() == (
        "It does not fuse: +1.0 points with all modalities against the best one alone, text; ±3.2 may be luck."
    )


def test_more_than_an_utterance_allows_comes_from_the_conversation():
    assert (
        learnt({"text": 0.5, "audio": 0.4}, 0.9)
        .verdict()
        .endswith("It uses the conversation: more than an utterance alone allows.")
    )


def test_every_set_of_modalities_is_tried_with_the_others_of_its_kind_and_repeats():
    tensor = plugins.load().get("fusion", "tensor")
    first, again = (learn(tensor, changes=QUICK) for _ in range(2))
    assert first == again
    assert ["+".join(row.modalities) for row in first.rows] == [
        *("text", "audio", "visual"),
        *("text+audio", "text+visual", "audio+visual"),
        "text+audio+visual",
    ]
    assert first.names == ("tensor", "concat", "gated", "hierarchical_gated")
    assert all(0 <= share <= 1 for row in first.rows for share in row.accuracy["tensor"])
    assert all(row.best_alone <= row.best_dialogue + 0.1 for row in first.rows)


def test_a_file_is_shown_as_a_table_and_as_json(write, tmp_path, capsys, monkeypatch):  # noqa: F811
    from ercframe.cli import check_learning

    quick = lambda component, **options: learn(component, changes=QUICK, **options)  # noqa: E731
    monkeypatch.setattr(check_learning, "learn", quick)
    assert run_app(["check", write(SOUND), "--learn", "--json", "found.json"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("fusion/sum: It ")
    assert "GENERATED DATA" in out
    assert "best, by" in out
    assert "hierarchical_" in out
    (found,) = json.loads((tmp_path / "found.json").read_text())
    assert (found["format"], found["generated"], found["component"]) == (1, True, "fusion/sum")
    assert [row["modalities"] for row in found["rows"]][-1] == ["text", "audio", "visual"]


def test_a_loss_cannot_be_tried(capsys):
    assert run_app(["check", "loss/focal", "--learn"]) == 2
    assert capsys.readouterr().err == "--learn needs one of encoder, fusion, classifier (got loss)\n"


@pytest.mark.slow
def test_the_bundled_fusions_reach_nine_tenths_of_what_is_possible():
    found = learn(plugins.load().get("fusion", "concat"))
    assert found.verdict().startswith("It fuses")
    shares = {name: found.rows[-1].mean(name) / found.rows[-1].best_alone for name in found.names}
    assert min(shares.values()) > 0.9, shares
