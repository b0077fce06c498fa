"""Exchanging one part of a recipe: what does not fit is refused before training, what fits trains."""

import json

import pytest

from ercframe.cli.app import run_app

SMALL = ["encoder.width=16", "encoder.heads=2", "trainer.epochs=1", "protocol.seeds=1", "trainer.device=cpu"]
SMALL += ["dataset.train=12", "dataset.dev=4", "dataset.test=4"]


def run(*arguments: str) -> int:
    return run_app(["run", "sdt_iemocap", "--demo", *SMALL, *arguments])


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_gated_in_the_place_of_sdts_fusion_is_refused_and_names_the_unread_streams(tmp_path, capsys):
    assert run("fusion={type: gated}") == 2
    error = capsys.readouterr().err
    assert "nobody reads 6 of the 9 streams of encoder 'intra_inter_transformer'" in error
    unread = "text←audio, text←visual, audio←text, audio←visual, visual←text, visual←audio"
    assert unread in error
    assert "encoder.streams=intra emits only each modality's own stream" in error
    assert not (tmp_path / "runs").exists()


def test_with_own_streams_only_it_trains(tmp_path):
    assert run("fusion={type: gated}", "encoder.streams=intra") == 0
    (summary,) = (tmp_path / "runs").rglob("summary.json")
    assert json.loads(summary.read_text())["status"] == "finished"


@pytest.mark.parametrize("fusion", ["hierarchical_gated", "concat", "graph", "dynamic_graph", "gated"])
def test_every_fusion_that_keeps_the_modalities_apart_trains_with_self_distillation(fusion):
    assert run(f"fusion={{type: {fusion}}}", "encoder.streams=intra") == 0


def test_tensor_fusion_trains_without_self_distillation_and_is_refused_with_it(capsys):
    assert run("fusion={type: tensor}", "encoder.streams=intra") == 2
    assert "loss 'self_distillation' needs one representation per modality" in capsys.readouterr().err
    assert run("fusion={type: tensor}", "encoder.streams=intra", "losses.distill=null") == 0


@pytest.mark.parametrize(
    "encoder", ["{type: bilstm, hidden: 8}", "{type: dialogue_rnn, per_modality: true}", "{type: identity, width: 8}"]
)
def test_every_encoder_feeds_late_fusion(encoder):
    small = ["encoder.global_width=8", "encoder.party_width=8", "encoder.emotion_width=4"] if "rnn" in encoder else []
    overrides = [f"encoder={encoder}", *small, "fusion={type: concat}", "classifier={type: late}"]
    settings = [s for s in SMALL if not s.startswith("encoder")]
    losses = "losses={task: {type: cross_entropy}}"
    assert run_app(["run", "late_fusion_iemocap", "--demo", *settings, *overrides, losses]) == 0
