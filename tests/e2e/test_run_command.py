"""`ercframe run` as a user meets it: the run folder, the exit codes, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file

from ercframe.cli.app import run_app

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 12, "dev": 4, "test": 6, "labels": 4},
    "encoder": {"type": "identity", "width": 8},
    "fusion": {"type": "gated"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 2, "batch_dialogues": 4, "optimizer": {"lr": 0.01}, "device": "cpu"},
    "protocol": {"seeds": 2},
}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A current directory with ``tiny.yaml`` in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY, sort_keys=False))
    return tmp_path


def only_run(here: Path, recipe: str = "tiny") -> Path:
    (folder,) = (here / "runs" / recipe).iterdir()
    return folder


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_run_leaves_everything_the_reports_need(here, capsys):
    assert run_app(["run", "tiny.yaml"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("GENERATED DATA") == 2  # when it starts, and in the table
    folder = only_run(here)
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    per_seed = ["metrics.jsonl", "predictions.jsonl", "representations.safetensors"]
    per_seed += [f"checkpoints/{which}/weights.safetensors" for which in ("best", "last")]
    expected = {f"seed-{seed}/{name}" for seed in (0, 1) for name in per_seed}
    assert names == expected | {"recipe.yaml", "environment.json", "inputs/inputs.json", "summary.json", "report.html"}
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["torch"] == torch.__version__
    assert environment["components"]["fusion/gated"].startswith("ercframe ")


def test_the_summary_agrees_with_the_log_and_the_predictions(here):
    run_app(["run", "tiny.yaml"])
    folder = only_run(here)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["dataset"]["generated"] is True
    for seed in summary["seeds"]:
        log = lines(folder / f"seed-{seed['seed']}" / "metrics.jsonl")
        assert [row["learning_rates"] for row in log] == [{"rest": 0.01}] * len(log)
        chosen = max(log, key=lambda row: row["dev"]["weighted_f1"])
        assert seed["selected"]["epoch"] == chosen["epoch"]
        assert seed["selected"]["test"]["weighted_f1"] == chosen["test"]["weighted_f1"]
        oracle = max(row["test"]["weighted_f1"] for row in log)
        assert seed["selected_on_test"]["test"]["weighted_f1"] == oracle
        assert seed["last"]["epoch"] == log[-1]["epoch"]
        rows = [r for r in lines(folder / f"seed-{seed['seed']}" / "predictions.jsonl") if r["split"] == "test"]
        right = sum(row["label"] == row["prediction"] for row in rows)
        assert right / len(rows) == pytest.approx(seed["selected"]["test"]["accuracy"])
        assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert len(rows[0]["weights"]["modality"]) == 2
    tests = [seed["selected"]["test"]["weighted_f1"] for seed in summary["seeds"]]
    assert summary["over_seeds"]["selected"]["test"]["weighted_f1"]["mean"] == pytest.approx(sum(tests) / 2)


def test_a_run_folder_repeats_the_run(here):
    run_app(["run", "tiny.yaml", "trainer.epochs=1"])
    first = only_run(here)
    assert run_app(["run", str(first), "--out", "again"]) == 0
    (second,) = (here / "again" / "tiny").iterdir()
    for seed in (0, 1):
        weights = Path(f"seed-{seed}/checkpoints/best/weights.safetensors")
        one, two = load_file(first / weights), load_file(second / weights)
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_checkpoints_name_their_epoch_and_their_two_parts(here):
    run_app(["run", "tiny.yaml", "losses.aux={type: self_distillation}"])
    with safe_open(only_run(here) / "seed-0/checkpoints/last/weights.safetensors", framework="pt") as file:
        assert file.metadata()["epoch"] == "2"
        assert {name.partition(".")[0] for name in file.keys()} == {"model", "objective"}  # noqa: SIM118 - no mapping


def test_paper_protocol_is_labelled_and_has_no_dev(here, capsys):
    assert run_app(["run", "tiny.yaml", "protocol.name=paper", "protocol.seeds=1"]) == 0
    shown = capsys.readouterr().out
    assert "selected on test" in shown
    assert "no dev" in shown
    summary = json.loads((only_run(here) / "summary.json").read_text())
    assert summary["seeds"][0]["selected"] == summary["seeds"][0]["selected_on_test"]
    assert summary["dataset"]["dialogues"] == {"train": 16, "dev": 0, "test": 6}


def test_without_the_gap_test_is_scored_once(here, capsys):
    assert run_app(["run", "tiny.yaml", "protocol.show_gap=false", "protocol.seeds=1"]) == 0
    assert "oracle" not in capsys.readouterr().out
    folder = only_run(here)
    assert all("test" not in row for row in lines(folder / "seed-0" / "metrics.jsonl"))
    assert "test" in json.loads((folder / "summary.json").read_text())["seeds"][0]["selected"]


def test_a_diverging_run_exits_with_1_and_keeps_what_it_has(here, capsys):
    assert run_app(["run", "tiny.yaml", "trainer.optimizer={name: sgd, lr: 1e30}", "trainer.epochs=5"]) == 1
    assert "the loss must be finite" in capsys.readouterr().err
    assert json.loads((only_run(here) / "summary.json").read_text())["status"] == "failed"


def test_wrong_input_exits_with_2_and_writes_nothing(here, capsys):
    assert run_app(["run", "tiny.yaml", "trainer.epochs=0"]) == 2
    error = capsys.readouterr().err
    assert "trainer.epochs" in error
    assert "Traceback" not in error
    assert not (here / "runs").exists()


def test_a_folder_that_cannot_be_written_exits_with_2(here, capsys):
    (here / "taken").write_text("a file")
    assert run_app(["run", "tiny.yaml", "--out", "taken"]) == 2
    assert "cannot make the run folder" in capsys.readouterr().err


def test_ctrl_c_leaves_a_usable_run(here):
    command = [sys.executable, "-m", "ercframe", "run", "tiny.yaml", "trainer.epochs=100000"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        for line in run.stdout:
            if "epoch   3" in line:
                break
        time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        shown, error = run.communicate(timeout=300)
    assert run.returncode == 130
    assert "Traceback" not in error
    assert "Interrupted" in error
    assert "tiny on synthetic: selected on dev (interrupted)" in shown
    folder = only_run(here)
    summary = json.loads((folder / "summary.json").read_text())
    log = lines(folder / "seed-0" / "metrics.jsonl")
    assert summary["status"] == "interrupted"
    assert len(summary["seeds"]) == 1
    assert summary["seeds"][0]["epochs"] == len(log) >= 3
    with safe_open(folder / "seed-0/checkpoints/best/weights.safetensors", framework="pt") as file:
        assert file.metadata()["epoch"] == str(summary["seeds"][0]["selected"]["epoch"])
    assert lines(folder / "seed-0" / "predictions.jsonl")
    assert not [p for p in folder.rglob(".*") if p.is_file()]
