"""`ercframe crossval` with real processes: folds are ordinary runs, and a stop changes no bit of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest
import yaml
from same_runs import require_same

from ercframe.runs import RunFolder

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 12, "dev": 4, "test": 6, "labels": 4, "groups": 3},
    "encoder": {"type": "identity", "width": 8},
    "fusion": {"type": "concat"},
    "classifier": {"type": "mlp", "hidden": [8], "dropout": 0.3},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 40, "batch_dialogues": 4, "device": "cpu", "checkpoint_seconds": 1},
    "protocol": {"seeds": 2},
}
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
FOLDER = Path("runs/tiny-crossval")
FOLDS = ["session-1", "session-2", "session-3"]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(yaml.safe_dump(TINY, sort_keys=False))


def command(*arguments):
    return [sys.executable, "-m", "ercframe", *map(str, arguments)]


def done(*arguments):
    found = subprocess.run(command(*arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=900)
    return found.returncode, found.stdout, found.stderr


def runs(folder=FOLDER):
    found = json.loads((folder / "sweep.json").read_text())
    return {entry["name"]: folder / entry["folder"] for entry in found["trials"]}


def crossval(folder=FOLDER):
    return json.loads((folder / "crossval.json").read_text())


@pytest.mark.slow
def test_after_a_stop_the_same_command_goes_on_to_the_same_bits():
    code, _, error = done("crossval", "tiny.yaml", "--name", "whole")
    assert code == 0, error
    whole = Path("runs/whole")
    with subprocess.Popen(
        command("crossval", "tiny.yaml"), stdout=PIPE, stderr=PIPE, text=True, env=ENVIRONMENT
    ) as driver:
        end = time.monotonic() + 300
        while not list(FOLDER.glob("tiny-session-2/*/seed-0/metrics.jsonl")):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        driver.send_signal(signal.SIGTERM)
        driver.communicate(timeout=300)
    assert driver.returncode == 75
    assert not (FOLDER / "crossval.json").exists()
    code, shown, error = done("crossval", "tiny.yaml")
    assert code == 0, error
    assert "session-1: was finished before" in shown
    for name in FOLDS:
        require_same(runs()[name], runs(whole)[name], name)
    for found in (one := crossval(), other := crossval(whole)):
        for fold in found["runs"]:
            del fold["made"], fold["folder"]
    assert one == other


@pytest.mark.slow
def test_a_fold_is_a_whole_run_that_says_which_it_is():
    code, shown, error = done("crossval", "tiny.yaml", "trainer.epochs=2", "--next-is-dev", "--jobs", 2)
    assert code == 0, error
    assert "one group left out at a time: selected on dev, generated data" in " ".join(shown.split())
    assert "Dev: another group, session-2 for session-1, session-3 for session-2, session-1 for session-3." in " ".join(
        shown.split()
    )
    fold = runs()["session-2"]
    summary = json.loads((fold / "summary.json").read_text())
    assert summary["dataset"]["test"] == "group session-2"
    assert summary["protocol"]["test_groups"] == ["session-2"]
    assert "test is group session-2" in (fold / "report.html").read_text()
    code, shown, error = done("run", fold, "--out", "again")
    assert code == 0, error
    assert "test is group session-2, selected on dev" in " ".join(shown.split())
    (again,) = Path("again").rglob("summary.json")
    require_same(again.parent, fold)
    code, shown, error = done("eval", fold)
    assert code == 0, error
    assert "test: test is group session-2, selected on dev" in " ".join(shown.split())
    assert crossval()["command"] == "ercframe crossval tiny.yaml trainer.epochs=2 --next-is-dev"


@pytest.mark.slow
def test_while_a_fold_is_missing_there_is_no_cross_validation_and_an_old_one_is_gone():
    assert done("crossval", "tiny.yaml", "trainer.epochs=1")[0] == 0
    assert crossval()["turns"] > 0
    code, shown, error = done("crossval", "tiny.yaml", "trainer.optimizer.lr=1e30")
    assert code == 1
    assert "no cross-validation yet: 3 of 3 folds not finished (session-1, session-2, session-3)" in error
    assert "failed: epoch 1" in shown
    assert not (FOLDER / "crossval.json").exists()
    assert not (FOLDER / "crossval.md").exists()


@pytest.mark.slow
def test_on_iemocap_every_turn_is_test_once_and_features_are_standardised_with_the_other_sessions(real_data):
    source = real_data / "iemocap" / "iemocap.npz"
    settings = ["--modality", "text=text_minilm", "--modality", "audio=audio_gemaps", r"group_pattern=Ses\d\d"]
    assert done("data", "import", "npz", source, "iemocap", *settings)[0] == 0
    recipe = {**TINY, "dataset": {"type": "bundle", "path": "iemocap"}, "trainer": {"epochs": 2, "device": "cpu"}}
    Path("iemocap.yaml").write_text(yaml.safe_dump(recipe | {"protocol": {"seeds": 1}}))
    code, _, error = done("crossval", "iemocap.yaml", "--jobs", 2)
    assert code == 0, error
    assert "warning" not in error, "F and M are nobody's names"
    folder = Path("runs/iemocap-crossval")
    found = crossval(folder)
    assert [fold["name"] for fold in found["runs"]] == ["Ses01", "Ses02", "Ses03", "Ses04", "Ses05"]
    assert (found["dialogues"], found["turns"]) == (151, 7433)
    labels = np.load(source)["label"]
    assert found["support"] == np.bincount(labels[labels >= 0]).tolist()
    rows = [row for run in runs(folder).values() for row in RunFolder(run).seed(0).read_predictions("test")]
    tested = [(row["dialogue"], row["utterance"]) for row in rows]
    assert len(set(tested)) == len(tested) == 7433
    kept = json.loads((runs(folder)["Ses01"] / "inputs/inputs.json").read_text())["modalities"]
    assert kept["audio"]["modality"]["standardisation"]["rows"] < len(labels) - 1800  # those of session 1
