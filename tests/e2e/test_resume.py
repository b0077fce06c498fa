"""`ercframe run --resume`: whatever stopped a run, it comes to the end that it would have come to."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import pytest
import torch
import yaml
from same_runs import contents, require_same
from slow_training import SlowTraining
from small_corpus import bundle, edited

from ercframe import seed_run, snapshots
from ercframe.cli.app import run_app

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 12, "dev": 4, "test": 4, "labels": 4},
    "transforms": [{"type": "modality_dropout", "rates": 0.5}],
    "encoder": {"type": "identity", "width": 8},
    "fusion": {"type": "gated"},
    "classifier": {"type": "mlp", "hidden": [8], "dropout": 0.3},
    "losses": {"task": {"type": "cross_entropy"}, "aux": {"type": "self_distillation"}},
    "trainer": {"epochs": 4, "batch_dialogues": 4, "optimizer": {"lr": 0.01}, "device": "cpu"},
    "protocol": {"seeds": 2},
}
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    """A recipe whose state is saved after every batch."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    trainer = TINY["trainer"] | {"checkpoint_seconds": 0}
    path.write_text(yaml.safe_dump(TINY | {"trainer": trainer}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def undisturbed(recipe, tmp_path_factory) -> Path:
    """The run folder of a run that nothing stopped."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert run_app(["run", str(recipe), "--out", str(out)]) == 0
    return run_in(out)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ercframe", "run", *map(str, arguments)]


def run_in(out: Path) -> Path:
    (recipe,) = out.rglob("recipe.yaml")
    return recipe.parent


def die_and_resume(recipe: Path, out: Path, kills: int, seed: int) -> None:
    """Kill and resume a run until it is finished."""
    script = [sys.executable, str(Path(__file__).with_name("die_and_resume.py"))]
    done = subprocess.run(
        [*script, str(recipe), str(out), str(kills), str(seed)], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr + (out / "log").read_text()


def die_enough(recipe: Path, undisturbed: Path, folder: Path, kills: int, enough: Callable[[list[str]], bool]) -> None:
    """Kill and resume one run after the other, each to its end, which must be the undisturbed one.

    How often and where one dies depends on how fast it is: it may come to its end before its first death. So there are
    runs until ``enough`` says so of where they died.
    """
    died: list[str] = []
    for seed in range(40):
        if enough(died):
            return
        out = folder / str(seed)
        out.mkdir()
        die_and_resume(recipe, out, kills, seed)
        died += (out / "deaths").read_text().splitlines()
        require_same(run_in(out / "runs"), undisturbed, f"random numbers {seed}: {died}")
    raise AssertionError(f"not enough in 40 runs: {Counter(died)}")


def test_a_run_that_was_killed_again_and_again_ends_as_if_it_had_not_been(recipe, undisturbed, tmp_path):
    die_enough(recipe, undisturbed, tmp_path, kills=3, enough=lambda died: len(died) >= 3)


def test_how_often_states_are_saved_changes_nothing(recipe, undisturbed, tmp_path):
    assert run_app(["run", str(recipe), "trainer.checkpoint_seconds=3600", "--out", str(tmp_path)]) == 0
    found = contents(run_in(tmp_path))
    assert found.pop("recipe.yaml") != (expected := contents(undisturbed)).pop("recipe.yaml")
    assert found == expected


OPTIONS = {
    "one_cycle": ["trainer.schedule.name=one_cycle"],
    "plateau": ["trainer.schedule={name: plateau, patience: 0}"],
    "groups": ["trainer.optimizer={weight_decay: 0.1, decay_biases: false, groups: {encoder: {lr: 1e-3}}}"],
    "accumulate": ["trainer.accumulate=2"],
    "ema": ["trainer.average={name: ema, decay: 0.8}"],
    "swa": ["trainer.average={name: swa, start_epoch: 2}"],
}


KILLED = """
import json, os, signal, sys
from ercframe import seed_run
from ercframe.cli.app import run_app

saves, save = [], seed_run.SeedRun.save


def save_and_die(self):
    save(self)
    saves.append(1)
    if len(saves) == 4:
        os.kill(os.getpid(), signal.SIGKILL)


os.fsync = lambda handle: None
seed_run.SeedRun.save = save_and_die
for arguments in json.load(sys.stdin):
    child = os.fork()
    if child == 0:
        os._exit(run_app(arguments))
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
"""


@pytest.fixture(scope="module")
def killed(recipe, tmp_path_factory) -> dict[str, Path]:
    """A run with each of the options that killed itself after its fourth step.

    Forked from a process that has not computed yet: from this one threads of PyTorch would be missing in it.
    """
    folders = {option: tmp_path_factory.mktemp(option) for option in OPTIONS}
    runs = [["run", str(recipe), *with_option(option), "--out", str(out)] for option, out in folders.items()]
    subprocess.run([sys.executable, "-c", KILLED], input=json.dumps(runs), text=True, env=ENVIRONMENT, check=True)
    return folders


def with_option(option: str) -> list[str]:
    return [*OPTIONS[option], "protocol.seeds=1"]


@pytest.mark.parametrize("option", OPTIONS)
def test_a_run_that_was_killed_ends_as_if_it_had_not_been_with_each_option(recipe, killed, tmp_path, option):
    folder = run_in(killed[option])
    assert run_app(["run", str(folder), "--resume"]) == 0
    assert run_app(["run", str(recipe), *with_option(option), "--out", str(tmp_path)]) == 0
    require_same(folder, run_in(tmp_path))


@pytest.mark.slow
def test_fifty_deaths_at_random_moments(recipe, undisturbed, tmp_path):
    def enough(died: list[str]) -> bool:
        half_a_file = {"save_file", "write_text"} & set(died)
        return len(died) >= 50 and {"any time", "fsync", "replace"} <= set(died) and bool(half_a_file)

    die_enough(recipe, undisturbed, tmp_path, kills=13, enough=enough)


RARELY = ["protocol.seeds=1", "trainer.checkpoint_seconds=3600"]  # no save but at the signal


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_stops_between_two_batches_and_says_how_to_go_on(recipe, tmp_path, capsys, number, code):
    slow = SlowTraining(tmp_path, quick=6, before="{type: modality_dropout, rates: 0.5}, ")  # two epochs
    arguments = (recipe, *slow.options, "trainer.epochs=30", *RARELY)
    with subprocess.Popen(
        command(*arguments, "--out", tmp_path / "stopped"), stdout=PIPE, stderr=PIPE, text=True, env=ENVIRONMENT
    ) as run:
        for line in run.stdout:
            if "epoch   2" in line:
                break
        run.send_signal(number)
        shown, error = run.communicate(timeout=300)
    slow.end()
    folder = run_in(tmp_path / "stopped")
    assert run.returncode == code, error
    assert f"To go on: ercframe run {folder} --resume" in error
    assert "Traceback" not in error
    assert "seed 0: saved after " in shown
    assert json.loads((folder / "summary.json").read_text())["status"] == {75: "preempted", 130: "interrupted"}[code]
    code, shown, _ = resumed(folder, capsys)
    assert code == 0
    assert "seed 0: goes on after " in shown
    assert run_app(["run", *map(str, arguments), "--out", str(tmp_path / "whole")]) == 0
    require_same(folder, run_in(tmp_path / "whole"))


@pytest.fixture
def stopped(recipe, tmp_path, monkeypatch) -> Path:
    """The run folder of a run that was stopped in its second epoch, with two saved states."""
    calls = []

    def stop_later(self):
        seed_run.SeedRun.save(self)
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(seed_run.SeedRun, "batch_done", stop_later)
        assert run_app(["run", str(recipe), "--out", str(tmp_path)]) == 130
    return run_in(tmp_path)


def resumed(folder: Path, capsys) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run_app(["run", str(folder), "--resume"])
    return code, *capsys.readouterr()


def test_it_goes_on_where_it_was_and_then_says_that_it_is_finished(stopped, undisturbed, capsys):
    assert not json.loads((stopped / "summary.json").read_text())["seeds"][0]["finished"]
    code, shown, _ = resumed(stopped, capsys)
    assert code == 0
    assert "seed 0: goes on after batch 2 of epoch 2" in shown
    assert "epoch   1" not in shown.split("seed 1")[0]
    require_same(stopped, undisturbed)
    before = {path: path.stat().st_mtime_ns for path in stopped.rglob("*")}
    (stopped / ".lock").touch()  # as if it had been killed when all was done but this
    code, shown, _ = resumed(stopped, capsys)
    assert code == 0
    assert "This run is finished; there is nothing to resume." in shown
    assert "tiny on synthetic: selected on dev" in shown
    assert {path: path.stat().st_mtime_ns for path in stopped.rglob("*")} == before


@pytest.mark.parametrize("name", ["state.json", "learner.safetensors", "optimizer.safetensors", "progress.safetensors"])
def test_a_damaged_state_is_told_and_the_one_before_it_used(stopped, undisturbed, capsys, name):
    newest = max((stopped / "seed-0/checkpoints/resume").iterdir())
    os.truncate(newest / name, (newest / name).stat().st_size - 8)
    code, shown, _ = resumed(stopped, capsys)
    assert code == 0
    assert f"the state in {newest} is damaged and was left out: " in shown
    assert "seed 0: goes on after batch 1 of epoch 2" in shown
    require_same(stopped, undisturbed)


def test_without_a_whole_state_the_seed_begins_again(stopped, undisturbed, capsys):
    for state in (stopped / "seed-0/checkpoints/resume").iterdir():
        (state / "best.safetensors").unlink()
    code, shown, _ = resumed(stopped, capsys)
    assert code == 0
    assert shown.count("is damaged and was left out") == 2
    assert "seed 0: begins again" in shown
    require_same(stopped, undisturbed)


def test_a_changed_recipe_is_refused(stopped, capsys):
    recipe = stopped / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 4", "epochs: 5"))
    before = contents(stopped)
    code, _, error = resumed(stopped, capsys)
    assert code == 2
    assert f"the run in {stopped} cannot be resumed\n  recipe.yaml  must be as it was when the run began" in error
    assert f"Put back what was changed, or begin a new run: ercframe run {stopped}" in error
    assert contents(stopped) == before


HOLDER = """
import sys
from pathlib import Path
from ercframe.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def test_a_second_process_is_refused_and_a_stale_lock_is_not(stopped, capsys):
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(stopped)], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        code, _, error = resumed(stopped, capsys)
        assert code == 2
        assert f"{stopped} is in use by process {other.pid} on " in error
        other.kill()
    assert (stopped / ".lock").exists()
    assert resumed(stopped, capsys)[0] == 0
    assert not (stopped / ".lock").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [(["trainer.epochs=9"], "KEY=VALUE"), (["--demo"], "--demo"), (["--out", "x"], "--out")],
    ids=lambda x: str(x),
)
def test_resuming_takes_nothing_else(stopped, capsys, given, told):
    assert run_app(["run", str(stopped), "--resume", *given]) == 2
    assert f"it takes the run folder alone (got {told})" in capsys.readouterr().err


def test_what_is_no_run_folder_cannot_be_resumed(tmp_path, capsys):
    assert run_app(["run", str(tmp_path), "--resume"]) == 2
    assert f"{tmp_path} must be a run folder (it has no recipe.yaml;" in capsys.readouterr().err


def test_another_version_is_told(stopped, capsys):
    path = stopped / "environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"torch": "2.0.0"}))
    code, shown, _ = resumed(stopped, capsys)
    assert code == 0
    assert f"notice: the run began with torch 2.0.0, now it is {torch.__version__}: results may differ" in shown
    assert json.loads(path.read_text())["resumed"][0]["torch"] == torch.__version__


def test_another_type_of_device_is_refused(stopped, capsys):
    path = stopped / "environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"device": "cuda:0"}))
    code, _, error = resumed(stopped, capsys)
    assert code == 2
    assert "trainer.device  must be of the type that it began on, cuda (got cpu)" in error


def stop_at_the_first_batch(monkeypatch, *arguments: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(seed_run.SeedRun, "batch_done", lambda self: os.kill(os.getpid(), signal.SIGTERM))
        assert run_app(["run", *arguments]) == 75


def test_a_changed_bundle_is_refused(recipe, tmp_path, capsys, monkeypatch):
    bundle(tmp_path / "b", dialogues=edited(lambda u: replace(u, label=max(u.label, 0))))
    data = f"dataset={{type: bundle, path: {tmp_path / 'b'}}}"
    stop_at_the_first_batch(monkeypatch, str(recipe), data, "--out", str(tmp_path / "runs"))
    folder = run_in(tmp_path)
    with (tmp_path / "b" / "manifest.json").open("a") as file:
        file.write("\n")
    code, _, error = resumed(folder, capsys)
    assert code == 2
    assert "dataset  must be the data that the run began with (got another 'small')" in error


PLUGIN = """
from ercframe import Transform, hookimpl


class Nothing(Transform):
    \"\"\"Change nothing.\"\"\"

    name = "nothing"

    def __init__(self, config, dataset):
        pass

    def forward(self, batch, generator):
        return batch


@hookimpl
def ercframe_components():
    return [Nothing]
"""


def test_a_changed_plugin_is_refused_before_it_is_run(recipe, tmp_path, capsys, monkeypatch):
    (tmp_path / "nothing.py").write_text(PLUGIN)
    plugin = ["--plugin", str(tmp_path / "nothing.py"), "transforms=[{type: nothing}]"]
    stop_at_the_first_batch(monkeypatch, str(recipe), *plugin, "--out", str(tmp_path / "runs"))
    folder = run_in(tmp_path)
    (folder / "plugins" / "nothing.py").write_text("raise SystemExit('must not be run')")
    code, _, error = resumed(folder, capsys)
    assert code == 2
    assert "plugins/nothing.py  must be as it was when the run began (got another)" in error


def test_a_full_disk_does_not_stop_the_training(recipe, undisturbed, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "_write", full)
    assert run_app(["run", str(recipe), "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "warning: seed 0: the state could not be saved, the one before is kept: [Errno 28] No space left" in shown
    require_same(run_in(tmp_path), undisturbed)
