"""`ercframe run --jobs N`: seeds side by side come to what they come to one after the other, whatever stops them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

import pytest
import yaml
from same_runs import require_same
from slow_training import SlowTraining
from test_resume import ENVIRONMENT, TINY, run_in

from ercframe import InputError, recipes
from ercframe.build import assemble
from ercframe.cli.app import run_app
from ercframe.execute import execute
from ercframe.training.anomaly import AnomalyStep
from ercframe.training.device import threads

BATCHES = 3
"""Batches of an epoch."""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    trainer = TINY["trainer"] | {"checkpoint_seconds": 0}
    path.write_text(yaml.safe_dump(TINY | {"trainer": trainer, "protocol": {"seeds": [5, 3, 8]}}, sort_keys=False))
    return path


@pytest.fixture
def slow(tmp_path) -> SlowTraining:
    """No seed ends before it is stopped."""
    return SlowTraining(tmp_path, quick=BATCHES, before="{type: modality_dropout, rates: 0.5}, ")


@pytest.fixture(autouse=True)
def _one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with threads(1):
        yield


def alone(recipe: Path, out: Path, *changes: str) -> Path:
    """The run folder of a run that trained one seed after the other."""
    assert run_app(["run", str(recipe), *changes, "--out", str(out)]) == 0
    return run_in(out)


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ercframe", "run", *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=PIPE, stderr=PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=600)
    return process.returncode, out, errors


def workers(folder: Path) -> list[int]:
    """The processes that train a run's seeds."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().split(b"\0")
        except OSError:  # it is gone
            continue
        if b"ercframe.seed_worker" in words and str(folder).encode() in words:
            found.append(int(line.parent.name))
    return sorted(found)


def wait_until(holds, what: str) -> None:
    until = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < until, f"{what}, within five minutes"
        time.sleep(0.02)


def started(launcher: subprocess.Popen[str], out: Path, seeds=(5, 3)) -> Path:
    """Wait until two seeds have an epoch behind them; the run folder."""
    logs = [f"seed-{seed}/metrics.jsonl" for seed in seeds]
    runs = "tiny/*/recipe.yaml"  # no deeper: states of the training come and go there
    wait_until(lambda: launcher.poll() is not None or any(out.glob(runs)), "there should be a run")
    assert launcher.poll() is None, launcher.communicate()
    (folder,) = (recipe.parent for recipe in out.glob(runs))
    wait_until(
        lambda: all((folder / log).is_file() and (folder / log).read_text() for log in logs), "there should be epochs"
    )
    return folder


def test_seeds_side_by_side_come_to_what_they_come_to_alone(recipe, tmp_path, capsys):
    one = alone(recipe, tmp_path / "one")
    capsys.readouterr()
    assert run_app(["run", str(recipe), "--jobs", "2", "--out", str(tmp_path / "two")]) == 0
    shown, two = capsys.readouterr().out, run_in(tmp_path / "two")
    require_same(two, one)
    assert [entry["seed"] for entry in json.loads((two / "summary.json").read_text())["seeds"]] == [5, 3, 8]
    assert json.loads((two / "environment.json").read_text())["threads"] == 1
    lines = [line for line in shown.splitlines() if "epoch  " in line and "wF1" in line and "loss" in line]
    assert sorted(re.findall(r"^seed (\d)  epoch +(\d)", "\n".join(lines), re.M)) == [
        (str(seed), str(epoch)) for seed in (3, 5, 8) for epoch in (1, 2, 3, 4)
    ]
    assert workers(two) == []
    assert not (two / ".lock").exists()


def test_one_seed_needs_no_other_process(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("ercframe.crew.start_child", lambda *_, **__: pytest.fail("a process was started"))
    assert run_app(["run", str(recipe), "protocol.seeds=1", "--jobs", "4", "--out", str(tmp_path)]) == 0


TOLD = "--jobs trains whole seeds: leave out --nproc and --anomaly, and start it without torchrun"


@pytest.mark.parametrize("other", [["--nproc", "2"], ["--anomaly"], []], ids=["nproc", "anomaly", "torchrun"])
def test_it_goes_with_no_other_way_to_use_processes(capsys, monkeypatch, other):
    if not other:
        for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
            monkeypatch.setenv(name, value)
    assert run_app(["run", "sdt_iemocap", "--demo", "--jobs", "2", *other]) == 2
    assert capsys.readouterr().err == TOLD + "\n"


@pytest.mark.parametrize(
    ("jobs", "step", "told"),
    [
        (0, {}, "jobs must be at least 1 (got 0)"),
        (2, {"make_step": AnomalyStep}, "jobs must be 1 where ranks share a seed, or steps are looked at (got 2)"),
    ],
)
def test_from_python_it_is_refused_before_anything_is_written(recipe, tmp_path, jobs, step, told):
    with pytest.raises(InputError, match=re.escape(told)):
        execute(assemble(recipes.load(recipe)), tmp_path / "runs", None, jobs=jobs, **step)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_killed_process_is_named_and_the_run_goes_on_with_any_number_of_jobs(recipe, slow, tmp_path):
    launcher = start(recipe, *slow.options, "--jobs", 2, "--out", tmp_path / "two")
    folder = started(launcher, tmp_path / "two")
    pids = workers(folder)
    assert len(pids) == 2
    os.kill(pids[0], signal.SIGKILL)
    code, shown, errors = end(launcher)
    assert code == 1
    assert re.match(r"seed [53]: its process was ended by SIGKILL; the other seeds were saved and stopped\n", errors)
    assert errors.endswith(f"To go on: ercframe run {folder} --resume --jobs 2\n")
    assert "Traceback" not in errors
    assert re.search(r"seed [53]: saved after ", shown)
    assert workers(folder) == []
    assert json.loads((folder / "summary.json").read_text())["status"] == "failed"

    launcher = start(folder, "--resume", "--jobs", 3)
    started(launcher, tmp_path / "two", seeds=(8,))
    launcher.send_signal(signal.SIGTERM)
    code, shown, errors = end(launcher)
    assert code == 75, errors
    assert errors == f"Stopped by SIGTERM.\nTo go on: ercframe run {folder} --resume --jobs 3\n"
    assert {"5", "3"} <= set(re.findall(r"seed (\d): goes on after ", shown))
    assert workers(folder) == []

    slow.end()
    assert end(start(folder, "--resume"))[0] == 0
    require_same(folder, alone(recipe, tmp_path / "one", *slow.options))


@pytest.mark.slow
def test_ctrl_c_keeps_the_epochs_of_all_seeds_at_hand(recipe, slow, tmp_path):
    launcher = start(recipe, *slow.options, "--jobs", 2, "--out", tmp_path / "two")
    folder = started(launcher, tmp_path / "two")
    launcher.send_signal(signal.SIGINT)
    code, shown, errors = end(launcher)
    assert code == 130
    assert errors.startswith(
        "Interrupted: the table holds the epochs that were finished; the run folder can be used.\n"
    )
    assert errors.endswith(f"To go on: ercframe run {folder} --resume --jobs 2\n")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert [(entry["seed"], entry["finished"]) for entry in summary["seeds"]] == [(5, False), (3, False)]
    assert "seed 5: saved after " in shown
    assert "seed 3: saved after " in shown
    assert workers(folder) == []
    slow.end()
    assert end(start(folder, "--resume", "--jobs", 2))[0] == 0
    require_same(folder, alone(recipe, tmp_path / "one", *slow.options))


@pytest.mark.slow
def test_processes_whose_parent_is_killed_save_and_end_and_keep_the_folder_until_then(recipe, slow, tmp_path):
    never = "trainer.checkpoint_seconds=1000000"  # but when it is asked to stop
    launcher = start(recipe, *slow.options, "trainer.epochs=1000", never, "--jobs", 2, "--out", tmp_path)
    folder = started(launcher, tmp_path)
    pids = workers(folder)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # as if it took them long to save
    launcher.kill()
    launcher.wait()
    code, _, errors = end(start(folder, "--resume"))
    assert code == 2
    assert f"{folder} is in use by process {launcher.pid} on " in errors
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not workers(folder), "they should have ended")
    launcher.communicate()
    saved = {seed: max((folder / f"seed-{seed}/checkpoints/resume").iterdir()) for seed in (5, 3)}
    assert all((state / "state.json").is_file() for state in saved.values())
    launcher = start(folder, "--resume", "--jobs", 2)
    going_on = set()
    for line in launcher.stdout:
        going_on |= set(re.findall(r"seed (\d): goes on after ", line))
        if going_on == {"5", "3"}:
            break
    launcher.terminate()
    code, _, errors = end(launcher)
    assert (code, going_on) == (75, {"5", "3"}), errors


FAULTY = """
import os

import torch
from ercframe import Transform, hookimpl


class Faulty(Transform):
    'Fails while one of the seeds trains.'

    name = "faulty"

    def __init__(self, config, dataset):
        pass

    def forward(self, batch, generator):
        print("said by a plugin")
        if generator.initial_seed() == 3:
            raise LookupError("only this seed fails")
        return batch


@hookimpl
def ercframe_components():
    return [Faulty]
"""


@pytest.mark.slow
def test_the_error_of_a_plugin_in_one_seed_is_told_with_its_place(recipe, tmp_path):
    (tmp_path / "faulty.py").write_text(FAULTY)
    plugin = ("--plugin", tmp_path / "faulty.py", "transforms=[{type: faulty}]")
    code, shown, errors = end(start(recipe, *plugin, "--jobs", 2, "--out", tmp_path))
    assert code == 1
    told = errors[errors.index("seed 3: ") :]
    assert told.startswith("seed 3: the code that trains it failed\nTraceback (most recent call last):\n")
    assert 'faulty.py", line 19, in forward\n' in told
    assert told.endswith("LookupError: only this seed fails\n")
    assert "said by a plugin" not in shown  # which has results


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_told_with_its_seed_and_the_way_to_its_cause(recipe, tmp_path):
    code, _, errors = end(start(recipe, "trainer.optimizer.lr=1e30", "--jobs", 2, "--out", tmp_path))
    folder = run_in(tmp_path)
    assert code == 1
    assert re.match(r"seed [53]: epoch 1, batch \d: the loss must be finite \(got NaN or Inf in ", errors)
    assert errors.endswith(f"To find the operation: ercframe run {folder} --anomaly\n")
    assert any(folder.rglob("diverged.json"))
    assert workers(folder) == []
