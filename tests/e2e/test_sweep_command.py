"""`ercframe sweep` and `ablate` with real processes: whatever dies, the same command comes to the same end."""

import json
import os
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

from ercframe.runs import RunFolder
from ercframe.sweep.folder import run_status

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 12, "dev": 4, "test": 4, "labels": 4},
    "encoder": {"type": "identity", "width": 8},
    "fusion": {"type": "gated"},
    "classifier": {"type": "mlp", "hidden": [8], "dropout": 0.3},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 2, "batch_dialogues": 4, "device": "cpu", "checkpoint_seconds": 1},
    "protocol": {"seeds": 2},
    "ablations": {"text": {"modalities": ["text"]}, "plain": {"fusion.type": "concat"}},
}
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "RAY_TMPDIR": "/tmp"}
"""Ray's sockets are in that folder, whose path must be short."""
LONG = ["trainer.epochs=30", "--seeds", "1"]
FOLDER = Path("runs/tiny-sweep")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(yaml.safe_dump(TINY, sort_keys=False))


def command(*arguments):
    return [sys.executable, "-m", "ercframe", *map(str, arguments)]


def sweep(*arguments, **options):
    done = subprocess.run(
        command("sweep", *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=900, **options
    )
    return done.returncode, done.stdout, done.stderr


def begun(*arguments):
    return subprocess.Popen(command("sweep", *arguments), stdout=PIPE, stderr=PIPE, text=True, env=ENVIRONMENT)


def until(condition, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain; there is {sorted(map(str, FOLDER.glob('*/*/*')))}")


@pytest.fixture
def slow(tmp_path):
    """Trials of which none ends before another is seen at work: slow after their fourth epoch."""
    return SlowTraining(tmp_path, quick=12)


def trials(folder=FOLDER):
    return {entry["name"]: entry for entry in json.loads((folder / "sweep.json").read_text())["trials"]}


def trained_some_epochs():
    """Run folders of trials that are in the midst of training, when there are two."""
    # Not all folders below are looked into: states of the training come and go there.
    logs = [path for path in FOLDER.glob("*/*/seed-0/metrics.jsonl") if len(path.read_text().splitlines()) > 3]
    return len(logs) == 2 and [log.parents[1] for log in logs]


def process_of(run):
    return int((run / ".lock").read_text().split()[1])


def is_there(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def below(process):
    """Command lines of all processes that a process started, and those started, by their number."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        found = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    except OSError:  # one has just ended
        return below(process) if is_there(process) else {}
    return {child: words.replace(b"\0", b" ").decode() for child, words in found.items()} | {
        further: words for child in found for further, words in below(child).items()
    }


def run_alone(recipe, out):
    subprocess.run(command("run", recipe, "--out", out), env=ENVIRONMENT, check=True, capture_output=True, timeout=900)
    (found,) = Path(out).rglob("recipe.yaml")
    return found.parent


@pytest.mark.slow
def test_a_sweep_is_ordinary_runs_and_resume_of_a_finished_one_trains_nothing():
    code, shown, error = sweep("tiny.yaml", "--grid", "fusion.type=concat,gated", "--jobs", 2)
    assert code == 0, error
    assert "type-concat: starts" in shown
    assert "GENERATED DATA" in shown
    assert "Bold: the best on dev, which alone may choose." in " ".join(shown.split())
    for name, entry in trials().items():
        alone = run_alone(FOLDER / "recipes" / f"tiny-{name}.yaml", f"alone-{name}")
        require_same(FOLDER / entry["folder"], alone)
    before = {path: path.stat().st_mtime_ns for path in FOLDER.rglob("seed-*/*")}
    code, shown, error = sweep(FOLDER, "--resume")
    assert code == 0, error
    assert "type-gated: was finished before" in shown
    assert {path: path.stat().st_mtime_ns for path in FOLDER.rglob("seed-*/*")} == before


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75), (signal.SIGKILL, -9)])
def test_when_the_driver_is_stopped_its_trials_save_and_the_same_command_goes_on_bit_for_bit(slow, number, code):
    with begun("tiny.yaml", *LONG, *slow.options, "--grid", "fusion.type=concat,gated", "--jobs", 2) as driver:
        runs = until(trained_some_epochs)
        workers = [process_of(run) for run in runs]
        driver.send_signal(number)
        driver.communicate(timeout=300)
    assert driver.returncode == code
    until(lambda: not any(map(is_there, workers)))
    slow.end()
    assert [json.loads((run / "summary.json").read_text())["status"] for run in runs] == ["preempted"] * 2
    if number != signal.SIGKILL:
        assert {entry["status"] for entry in trials().values()} == {"interrupted"}
    code, shown, error = sweep(FOLDER, "--resume", "--jobs", 2)
    assert code == 0, error
    assert "type-concat: goes on" in shown
    entry = trials()["type-gated"]
    assert entry["folder"] in [str(run.relative_to(FOLDER)) for run in runs]
    alone = run_alone(FOLDER / "recipes/tiny-type-gated.yaml", "alone")
    require_same(FOLDER / entry["folder"], alone)


@pytest.mark.slow
def test_a_worker_that_is_killed_stops_no_other_and_goes_on_with_the_same_command(slow):
    with begun("tiny.yaml", *LONG, *slow.options, "--grid", "fusion.type=concat,gated", "--jobs", 2) as driver:
        runs = until(trained_some_epochs)
        killed = runs[0]
        os.kill(process_of(killed), signal.SIGKILL)
        slow.end()
        shown, error = driver.communicate(timeout=600)
    assert driver.returncode == 1, error
    assert "killed by SIGKILL" in shown
    assert sorted(entry["status"] for entry in trials().values()) == ["finished", "interrupted"]
    code, _, error = sweep("tiny.yaml", *LONG, *slow.options, "--grid", "fusion.type=concat,gated")
    assert code == 0, error
    assert str(killed.relative_to(FOLDER)) in [entry["folder"] for entry in trials().values()]


@pytest.mark.slow
def test_a_diverging_trial_is_recorded_with_its_error():
    code, shown, _ = sweep("tiny.yaml", "--grid", "trainer.optimizer.lr=1e30,1e-3", "--seeds", 1)
    assert code == 1
    entries = list(trials().values())
    assert [entry["status"] for entry in entries] == ["failed", "finished"]
    assert "the loss must be finite" in entries[0]["error"]
    assert "failed: epoch 1" in shown


@pytest.mark.slow
def test_ablations_are_compared_with_the_full_recipe():
    done = subprocess.run(command("ablate", "tiny.yaml"), env=ENVIRONMENT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    folder = Path("runs/tiny-ablations")
    assert list(trials(folder)) == ["full", "text", "plain"]
    assert "bootstrap of weighted F1" in " ".join(done.stdout.split())
    found = json.loads((folder / "comparison.json").read_text())
    assert (found["baseline"], [run["name"] for run in found["runs"]]) == ("full", ["full", "text", "plain"])


PRUNED = ["tiny.yaml", "dataset.train=24", "trainer.epochs=30", "--seeds", 1, "--search", "space.yaml", "--trials", 7]
PRUNED += ["--search-seed", 1, "--prune-after", 3]


def results(folder):
    """What is known of every trial, but for times and where it is."""
    found = trials(folder)
    for entry in found.values():
        del entry["folder"]
        if entry["result"]:
            del entry["result"]["seconds"]
    return found


def pruned_search(name, *engine):
    """A search that gives up what does not learn: its results, and the command."""
    Path("space.yaml").write_text("trainer.optimizer.lr: {type: categorical, choices: [1e-9, 1e-2]}\n")
    arguments = [*PRUNED, *engine, "--jobs", 1]
    code, shown, error = sweep(*arguments, "--name", name)
    assert code == 0, error
    found = results(Path("runs") / name)
    pruned = {trial for trial, entry in found.items() if entry["status"] == "pruned"}
    assert {entry["status"] for entry in found.values()} == {"finished", "pruned"}
    assert {found[trial]["changes"]["trainer.optimizer.lr"] for trial in pruned} == {"1.0e-09"}
    assert shown.rpartition("best on dev: ")[2].split(",")[0] not in pruned
    folders = {trial: entry["folder"] for trial, entry in trials(Path("runs") / name).items()}
    for trial in pruned:
        assert run_status(RunFolder(Path("runs") / name / folders[trial])) == "pruned"
        assert f"{trial}: pruned: after epoch 3 its best weighted f1 on dev was below" in " ".join(shown.split())
    return found, arguments


@pytest.mark.slow
@pytest.mark.extra
def test_a_bad_trial_is_pruned_and_a_search_that_was_killed_comes_to_the_same_end():
    whole, arguments = pruned_search("whole")
    with begun(*arguments, "--name", "parts") as driver:
        until(lambda: len(list(Path("runs/parts").glob("tiny-trial-000[56]/*/seed-0/metrics.jsonl"))) > 1)
        driver.kill()
        driver.communicate()
    code, _, error = sweep(*arguments, "--name", "parts")
    assert code == 0, error
    assert results(Path("runs/parts")) == whole


@pytest.mark.slow
@pytest.mark.extra
def test_a_bad_trial_on_a_real_ray_is_pruned():
    pruned_search("on-ray", "--engine", "ray")


@pytest.mark.slow
@pytest.mark.extra
def test_on_a_real_ray_the_results_are_those_of_this_machine():
    axes = ["tiny.yaml", "--grid", "fusion.type=concat,gated"]
    with begun(*axes, "--engine", "ray", "--name", "on-ray") as driver:
        until(lambda: list(Path("runs/on-ray").glob("*/*/seed-0")))
        started = below(driver.pid)
        _, error = driver.communicate(timeout=900)
    assert driver.returncode == 0, error
    assert any("raylet" in name for name in started.values())
    # Ray's dashboard process is always there; without the dashboard it serves no pages.
    assert all("--disable-frontend" in name for name in started.values() if "dashboard.py" in name)
    until(lambda: not any(map(is_there, started)))
    code, _, error = sweep(*axes)
    assert code == 0, error
    for name, entry in trials().items():
        on_ray = trials(Path("runs/on-ray"))[name]
        require_same(Path("runs/on-ray") / on_ray["folder"], FOLDER / entry["folder"])
