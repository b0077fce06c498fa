"""Several processes train one model: the gradients, weights and scores of one process, and no hang when one dies."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE

import pytest
import torch
import yaml
from gradients import CASES, RECIPE, TRAININGS, take, train_exactly
from safetensors.torch import load_file
from same_runs import require_same
from slow_training import SlowTraining
from torch import nn

from ercframe import InputError, recipes
from ercframe.build import assemble
from ercframe.cli.app import run_app
from ercframe.ranks import Ranks, joined
from ercframe.tensors import Batch
from ercframe.training.batches import training_batches
from ercframe.training.device import choose_device
from ercframe.training.parallel import require_divisible, with_rows
from ercframe.training.share import by_utterances, shares

HERE = Path(__file__).parent
RANKS, THREE = 2, 3
SOON = 300
"""Seconds in which a busy machine, too, ends what takes moments, and less than what would otherwise go on lasts."""
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "TORCH_CPP_LOG_LEVEL": "ERROR"}


@pytest.fixture(scope="module")
def by_ranks(tmp_path_factory) -> tuple[Path, list[dict[str, torch.Tensor]]]:
    """The recipe of the cases, and what every rank got for them."""
    folder = tmp_path_factory.mktemp("ranks")
    recipe = folder / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    # It finds a port that is free, and keeps it.
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(RANKS)]
    command = [sys.executable, "-m", *launcher, str(HERE / "gradients.py"), str(recipe), str(folder)]
    subprocess.run(command, env=ENVIRONMENT, timeout=600, check=True)
    return recipe, [load_file(folder / f"{rank}.safetensors") for rank in range(RANKS)]


@pytest.mark.parametrize("name", CASES)
def test_gradients_and_terms_are_those_of_one_process_on_the_whole_batch(by_ranks, name):
    recipe, found = by_ranks
    alone = take(CASES[name], recipe)
    anything = name != "nothing scored at all"
    assert any(x.any() for key, x in alone.items() if not key.startswith("batch")) == anything
    assert_equal(found, name, alone)


@pytest.mark.parametrize("name", TRAININGS)
def test_training_ends_with_the_weights_of_one_process(by_ranks, name):
    recipe, found = by_ranks
    alone = train_exactly(name, recipe)
    averaged = any(not torch.equal(x, alone[f"scored.{key}"]) for key, x in alone.items() if f"scored.{key}" in alone)
    assert averaged == any("average" in change for change in TRAININGS[name])
    assert_equal(found, name, alone)
    first, second = found
    assert all(torch.equal(first[key], second[key]) for key in first if key.startswith(f"{name}/"))


def assert_equal(found: list[dict[str, torch.Tensor]], name: str, alone: dict[str, torch.Tensor]) -> None:
    """Every rank got for a case what one process did, to rounding in float64."""
    for rank in found:
        got = {key.removeprefix(f"{name}/"): x for key, x in rank.items() if key.startswith(f"{name}/")}
        assert got.keys() == alone.keys()
        for key, x in alone.items():
            torch.testing.assert_close(got[key], x, rtol=0, atol=1e-10, msg=lambda text, key=key: f"{key}: {text}")


def test_weights_stay_equal_on_all_ranks_and_random_numbers_differ(by_ranks):
    first, second = (load_file(by_ranks[0].parent / f"trained-{rank}.safetensors") for rank in range(RANKS))
    assert not torch.equal(first.pop("random"), second.pop("random"))
    assert any(name.startswith("objective.") for name in first)
    assert all(torch.equal(x, second[name]) for name, x in first.items())


def test_extras_that_are_as_long_as_one_rank_has_utterances_are_not_taken_for_rows():
    class OfTwo(Ranks):
        def gather(self, value):
            return [value, [True, False, False]]  # the other rank has not four utterances

    extras = {"rows": torch.zeros(4, 2), "prototypes": torch.zeros(4, 3), "temperature": torch.zeros(())}
    assert with_rows(extras, 4, OfTwo(0, 2)) == ["rows"]
    assert with_rows({}, 4, Ranks(0, 2)) == []  # nothing to ask the others


def test_the_longest_dialogue_goes_to_the_rank_with_the_fewest_utterances():
    assert by_utterances([3, 9, 4, 2, 5, 5], 2) == [[1, 2, 3], [0, 4, 5]]
    assert by_utterances([7, 7], 3) == [[0], [1], []]
    assert by_utterances([1, 1, 1, 1, 1], 2) == [[0, 2, 4], [1, 3]]


@pytest.mark.parametrize("changes", [[], ["transforms=[{type: modality_dropout, rates: 0.5}]"]])
def test_shares_put_together_are_the_batches_of_one_process(tmp_path, changes):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(RECIPE | {"trainer": {"batch_dialogues": 5}}))
    experiment = assemble(recipes.load(tmp_path / "tiny.yaml", changes))
    whole = list(training_batches(experiment, torch.Generator().manual_seed(0)))
    assert [len(batch.dialogues) for batch in whole] == [5, 5, 2]
    by_rank = [list(shares(experiment, torch.Generator().manual_seed(0), Ranks(rank, 3), True)) for rank in range(3)]
    plain = [list(shares(experiment, torch.Generator().manual_seed(0), Ranks(rank, 3), False)) for rank in range(3)]
    for i, batch in enumerate(whole):
        found = [parts[i] for parts in by_rank if not parts[i].stands_in]
        assert sorted(sum((part.dialogues for part in found), ())) == sorted(batch.dialogues)
        in_batch = rows_by_dialogue(batch)
        for part in found:
            assert list(part.dialogues) == [d for d in batch.dialogues if d in part.dialogues]
            for dialogue, rows in rows_by_dialogue(part).items():
                assert all(map(torch.equal, rows, in_batch[dialogue]))
        together = by_rank[0][i].whole
        assert together.dialogues == sum((part.dialogues for part in found), ())
        assert torch.equal(together.labels, torch.cat([part.labels for part in found]))
        assert by_rank[0][i].rows == tuple(0 if p[i].stands_in else len(p[i].labels) for p in by_rank)
        for with_whole, without in zip(by_rank, plain, strict=True):
            assert with_whole[i].dialogues == without[i].dialogues
    (stand_in,) = [found[-1] for found in by_rank if found[-1].stands_in]
    assert stand_in.dialogues == ()
    assert len(stand_in.scored) == 0
    assert (stand_in.labels == -1).all()


def rows_by_dialogue(batch: Batch) -> dict[str, list[torch.Tensor]]:
    """Everything that a batch holds of each of its dialogues."""
    tensors = [batch.labels, batch.context.speaker, *batch.features.values(), *batch.context.available.values()]
    split = zip(*(x.split(batch.context.layout.sizes) for x in tensors), strict=True)
    return dict(zip(batch.dialogues, map(list, split), strict=True))


def test_what_needs_the_whole_batch_is_refused():
    with pytest.raises(InputError) as refused:
        require_divisible(nn.ModuleDict({"encoder": nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))}))
    assert "encoder.1  BatchNorm1d  must not normalise over a batch" in str(refused.value)


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("cuda:0", "trainer.device must be auto, cpu or cuda where several processes train (got 'cuda:0')"),
        ("cuda", "each process of a machine needs a GPU of its own (got 2 processes, GPUs: 1)"),
    ],
)
def test_each_rank_of_a_machine_has_a_gpu_of_its_own(monkeypatch, device, told):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=re.escape(told)):
        choose_device(device, ranks=Ranks(1, 2, 1, 2))


def test_anomaly_takes_one_process(capsys):
    assert run_app(["run", "sdt_iemocap", "--demo", "--anomaly", "--nproc", "2"]) == 2
    assert "--anomaly looks at one process: leave out --nproc, and start it without torchrun" in capsys.readouterr().err


def test_a_launcher_that_leaves_something_out_is_told_what(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT not set"), joined():
        pass


RUN = RECIPE | {
    "dataset": RECIPE["dataset"] | {"train": 21, "dev": 5, "test": 5},
    "transforms": [{"type": "modality_dropout", "rates": 0.3}],
    "trainer": {"epochs": 8, "batch_dialogues": 4, "optimizer": {"lr": 0.01}, "device": "cpu"},
    "protocol": {"seeds": 1},
}
BATCHES = 6
"""Batches of an epoch."""
STATEFUL = ("classifier.dropout=0.3", "trainer.checkpoint_seconds=0")
"""Random numbers that differ by rank, and a state that is saved after every batch."""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(yaml.safe_dump(RUN, sort_keys=False))
    return path


STARTED: list[subprocess.Popen] = []


@pytest.fixture(autouse=True)
def nothing_left_running():
    """A test that fails must not leave a training behind that takes hours; workers end with their launcher."""
    yield
    for process in STARTED:
        if process.poll() is None:
            process.terminate()
            process.communicate()
    STARTED.clear()


def start(*arguments: object, python: tuple[str, ...] = ("-m", "ercframe")) -> subprocess.Popen:
    command = [sys.executable, *python, "run", *map(str, arguments)]
    STARTED.append(subprocess.Popen(command, env=ENVIRONMENT, stdout=PIPE, stderr=PIPE, text=True))
    return STARTED[-1]


def end(process: subprocess.Popen) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=400)
    return process.returncode, out, errors


def run_in(out: Path) -> Path:
    (found,) = out.rglob("recipe.yaml")
    return found.parent


def wait_for_epoch(number: int, out: Path) -> None:
    """Wait until so many epochs are in the log of the run in a folder of runs."""
    until = time.monotonic() + 300
    while sum(len(log.read_text().splitlines()) for log in out.glob("*/*/seed-*/metrics.jsonl")) < number:
        assert time.monotonic() < until, "there should have been an epoch"
        time.sleep(0.02)


def rank_of(launcher: subprocess.Popen, rank: int) -> int:
    """The process of a rank."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            parent = int((environ.parent / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == launcher.pid and f"RANK={rank}".encode() in environ.read_bytes().split(b"\0"):
                return int(environ.parent.name)
        except OSError:  # it is gone, or not ours
            continue
    raise AssertionError(f"no rank {rank}")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_two_processes_train_and_score_as_one(recipe, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert run_app(["run", str(recipe), "--out", str(one)]) == 0
    code, out, errors = end(start(recipe, "--nproc", RANKS, "--out", two))
    assert (code, errors) == (0, "")
    assert out.count("writing to") == out.count("epoch   8") == out.count("run folder:") == 1
    logs = [(run_in(folder) / "seed-0" / "metrics.jsonl").read_text().splitlines() for folder in (one, two)]
    for mine, theirs in zip(*(map(json.loads, log) for log in logs), strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=1e-5)
        for split in ("dev", "test"):
            for name, value in mine[split].items():
                assert theirs[split][name] == pytest.approx(value, abs=1e-6)
    weights = [load_file(run_in(f) / "seed-0" / "checkpoints" / "best" / "weights.safetensors") for f in (one, two)]
    for name, x in weights[0].items():
        torch.testing.assert_close(weights[1][name], x, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_killed_rank_ends_the_run_which_goes_on_bit_for_bit(recipe, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    changes = (
        *STATEFUL,
        "trainer.average={name: ema, decay: 0.8}",
        "trainer.schedule.name=cosine",
        "trainer.accumulate=2",
    )
    slow = SlowTraining(tmp_path, quick=2 * BATCHES, before="{type: modality_dropout, rates: 0.3}, ")
    launcher = start(recipe, *changes, *slow.options, "--nproc", THREE, "--out", broken)
    wait_for_epoch(2, broken)
    others = [rank_of(launcher, rank) for rank in range(THREE)]
    os.kill(others[1], signal.SIGKILL)
    code, _, errors = end(launcher)
    assert code == 1
    assert "Process 1 of 3 was ended by SIGKILL; the others were stopped." in errors
    assert "Traceback" not in errors
    assert not any(map(is_running, others))

    folder = run_in(broken)
    code, _, errors = end(start(folder, "--resume"))
    assert code == 2
    assert "must be as many as it began with, 3 (got 1); set them by --nproc, or in torchrun" in errors

    slow.begin(quick=3 * BATCHES)
    launcher = start(folder, "--resume", "--nproc", THREE)
    wait_for_epoch(4, broken)
    launcher.send_signal(signal.SIGTERM)
    code, out, errors = end(launcher)
    assert code == 75
    assert "seed 0: saved after" in out
    assert errors == f"Stopped by SIGTERM.\nTo go on: ercframe run {folder} --resume --nproc 3\n"

    slow.end()
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(THREE), "-m", "ercframe")
    assert end(start(folder, "--resume", python=torchrun))[0] == 0
    assert end(start(recipe, *changes, *slow.options, "--nproc", THREE, "--out", whole))[0] == 0
    require_same(folder, run_in(whole))


@pytest.mark.slow
def test_ctrl_c_keeps_the_epochs_there_are(recipe, tmp_path):
    launcher = start(recipe, "trainer.epochs=100000", "--nproc", RANKS, "--out", tmp_path)
    wait_for_epoch(2, tmp_path)
    launcher.send_signal(signal.SIGINT)
    code, out, errors = end(launcher)
    assert code == 130
    assert "run folder:" in out
    assert errors.startswith("Interrupted: the table holds the epochs that were finished")
    assert json.loads((run_in(tmp_path) / "summary.json").read_text())["status"] == "interrupted"


FAULTY = """
import os
from ercframe import Transform, hookimpl


class Faulty(Transform):
    'Fails on one rank.'

    name = "faulty"

    def __init__(self, config, dataset):
        pass

    def forward(self, batch, generator):
        if os.environ["RANK"] == "1":
            raise LookupError("only this rank fails")
        return batch


@hookimpl
def ercframe_components():
    return [Faulty]
"""


@pytest.mark.slow
def test_the_error_of_one_rank_ends_all_and_that_of_all_is_told_once(recipe, tmp_path):
    (tmp_path / "faulty.py").write_text(FAULTY)
    plugin = ("--plugin", tmp_path / "faulty.py", "transforms=[{type: faulty}]")
    code, _, errors = end(start(recipe, *plugin, "--nproc", RANKS, "--out", tmp_path))
    assert code == 1
    assert "In rank 1 of 2:" in errors
    assert "LookupError: only this rank fails" in errors
    assert errors.count("Traceback") == 1

    code, _, errors = end(start(recipe, "trainer.device=cuda:0", "--nproc", RANKS, "--out", tmp_path))
    assert code == 2
    assert errors.count("trainer.device") == 1


@pytest.mark.slow
def test_a_loss_that_is_not_finite_on_one_rank_is_told_once_with_the_whole_batch(recipe, tmp_path):
    code, _, errors = end(start(recipe, "trainer.optimizer.lr=1e30", "--nproc", RANKS, "--out", tmp_path))
    assert code == 1
    assert errors.count("the loss must be finite") == 1
    (found,) = tmp_path.rglob("diverged.json")
    assert len(json.loads(found.read_text())["dialogues"]) == 4


SLEEPY = """
import os, signal, time
from pathlib import Path
from ercframe import Transform, hookimpl


class Sleepy(Transform):
    'Stays in a step for ten minutes once a file asks one rank to, and tells of a signal that waits for the end of it.'

    name = "sleepy"

    def __init__(self, config, dataset):
        pass

    def forward(self, batch, generator):
        if Path(os.environ["SLEEP"], os.environ["RANK"]).exists():
            Path(os.environ["SLEEP"], "asleep").touch()
            for _ in range(6000):
                time.sleep(0.1)
                if signal.getsignal(signal.SIGINT).__self__.waiting:
                    Path(os.environ["SLEEP"], "asked").touch()
        return batch


@hookimpl
def ercframe_components():
    return [Sleepy]
"""


@pytest.mark.slow
@pytest.mark.parametrize("rank", range(RANKS))
def test_a_second_ctrl_c_to_one_rank_within_a_step_ends_all_soon(recipe, tmp_path, monkeypatch, rank):
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    monkeypatch.setitem(ENVIRONMENT, "SLEEP", str(tmp_path))
    plugin = ("--plugin", tmp_path / "sleepy.py", "transforms=[{type: sleepy}]")
    launcher = start(recipe, *STATEFUL, *plugin, "trainer.epochs=100000", "--nproc", RANKS, "--out", tmp_path / "runs")
    wait_for_epoch(2, tmp_path / "runs")
    pids = [rank_of(launcher, r) for r in range(RANKS)]
    (tmp_path / str(rank)).touch()
    wait_for((tmp_path / "asleep").exists)
    os.kill(pids[rank], signal.SIGINT)
    wait_for((tmp_path / "asked").exists)  # two that come at once are one
    os.kill(pids[rank], signal.SIGINT)
    out, errors = launcher.communicate(timeout=SOON)
    assert launcher.returncode == 130
    assert not any(map(is_running, pids))
    assert "Traceback" not in errors
    assert "lost another one" not in errors
    told = "seed 0: stopped within a step, the state saved before is kept"
    assert told in out if rank == 0 else "Another rank was interrupted within a step" in errors
    (tmp_path / str(rank)).unlink()
    folder = run_in(tmp_path / "runs")
    assert json.loads((folder / "summary.json").read_text())["status"] == "interrupted"
    launcher = start(folder, "--resume", "--nproc", RANKS)
    wait_for_epoch(4, tmp_path / "runs")
    launcher.send_signal(signal.SIGTERM)
    assert end(launcher)[0] == 75


@pytest.mark.slow
@pytest.mark.parametrize("times", [2, 3])
def test_an_impatient_ctrl_c_to_the_launcher_ends_all_soon(recipe, tmp_path, times):
    launcher = start(recipe, "trainer.epochs=100000", "--nproc", RANKS, "--out", tmp_path)
    wait_for_epoch(2, tmp_path)
    pids = [rank_of(launcher, r) for r in range(RANKS)]
    for _ in range(times):
        launcher.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, errors = launcher.communicate(timeout=SOON)
    assert launcher.returncode == 130
    assert "Traceback" not in errors
    wait_for(lambda: not any(map(is_running, pids)))


@pytest.mark.slow
def test_workers_save_and_end_when_their_launcher_is_killed(recipe, tmp_path):
    launcher = start(recipe, "trainer.epochs=100000", "--nproc", RANKS, "--out", tmp_path)
    wait_for_epoch(2, tmp_path)
    pids = [rank_of(launcher, r) for r in range(RANKS)]
    launcher.kill()
    wait_for(lambda: not any(map(is_running, pids)))
    assert json.loads((run_in(tmp_path) / "summary.json").read_text())["status"] == "preempted"
    assert "saved after" in launcher.communicate(timeout=SOON)[0]


@pytest.mark.slow
def test_a_worker_that_waits_for_a_lost_one_is_ended_without_its_launcher(tmp_path):
    program = tmp_path / "waits.py"
    program.write_text(WAITS)
    shell = f"import subprocess, sys; subprocess.Popen([sys.executable, {str(program)!r}]).wait()"
    launcher = subprocess.Popen([sys.executable, "-c", shell], env=ENVIRONMENT | {"TORCHELASTIC_RUN_ID": "1"})
    wait_for((tmp_path / "pid").exists)
    launcher.kill()
    launcher.wait()
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_running(pid))


@pytest.mark.slow
def test_a_worker_whose_launcher_was_killed_before_it_could_look_ends_at_once(tmp_path):
    program = tmp_path / "waits.py"
    program.write_text(WAITS)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    found = {"TORCHELASTIC_RUN_ID": "1", "ERCFRAME_LAUNCHER": str(gone.pid)}
    worker = subprocess.Popen([sys.executable, program], env=ENVIRONMENT | found)
    assert worker.wait(timeout=30) == 1


WAITS = """
import os, signal, time
from pathlib import Path
from ercframe import launcher_watch

launcher_watch.GRACE = 1
signal.signal(signal.SIGTERM, lambda number, frame: None)  # as one that is never heard
launcher_watch.end_with_launcher()
pid = Path(__file__).with_name("pid")
pid.with_suffix(".part").write_text(str(os.getpid()))
pid.with_suffix(".part").rename(pid)
time.sleep(600)
"""


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < until, "it should have happened by now"
        time.sleep(0.05)
