"""What the processes of a crew do and suffer; here small ones that speak as those that train do."""

import os
import signal
import subprocess
import sys
import time
from subprocess import PIPE

import pytest
import torch

from ercframe import RunError, cores, crew
from ercframe.crew import Crew
from ercframe.runs import RunFolder
from ercframe.signals import Signals, Terminated

SPEAKS = """
import os, pickle, signal, sys, time

stream = os.fdopen(os.dup(1), "wb")


def tell(name, *arguments):
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    pickle.dump((name, arguments), stream)
    stream.flush()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))


def seeds():
    tell("ready")
    while line := sys.stdin.readline().strip():
        yield int(line)
        tell("ready")


def end(code, *told):
    tell(*told)
    stream.close()
    os._exit(code)


def work(seed):
    tell("seed_concluded", {"seed": seed, "finished": True})


def wait_for_a_signal(seed):
    signal.signal(signal.SIGTERM, lambda *_: end(75, "notice", f"seed {seed}: saved"))
    signal.signal(signal.SIGINT, lambda *_: end(130, "seed_concluded", {"seed": seed, "finished": False}))
    tell("epoch_done", seed, os.getpid(), True)
    time.sleep(600)

"""
ALL = "\nfor seed in seeds():\n    work(seed)\n"


class Told:
    """Keeps what it is told of, and does something at one of the things."""

    def __init__(self, at=None, does=None):
        self.said, self.at, self.does = [], at, does

    def __getattr__(self, name):
        def take(*arguments):
            self.said.append((name, *arguments))
            if self.at == (name, *arguments)[:2]:
                self.does()

        return take

    def of(self, name):
        return [arguments for told, *arguments in self.said if told == name]


@pytest.fixture
def begun(monkeypatch):
    """What a process does in the place of training, and the processes that there were."""
    processes = []

    def using(program):
        def start(module, *arguments, stdout, environment, keep):
            assert module == "ercframe.seed_worker"
            processes.append(subprocess.Popen([sys.executable, "-c", SPEAKS + program], stdin=PIPE, stdout=stdout))
            return processes[-1]

        monkeypatch.setattr(crew, "start_child", start)
        return processes

    yield using
    assert all(process.poll() is not None for process in processes), "a process must not outlive its crew"


def train(tmp_path, told, seeds=(0, 1, 2), size=2):
    signals = Signals()
    with signals.listening():
        Crew(RunFolder(tmp_path), size, told, signals).train(seeds)


def test_each_process_gets_the_next_seed_when_it_is_done_with_one(begun, tmp_path):
    processes, told = begun(ALL), Told()
    train(tmp_path, told, seeds=(4, 2, 7, 5, 1))
    assert len(processes) == 2
    assert [seed for (seed,) in told.of("seed_started")] == [4, 2, 7, 5, 1]
    assert sorted(told.of("seed_done")) == [[1], [2], [4], [5], [7]]
    assert all(told.said.index(("seed_started", seed)) < told.said.index(("seed_done", seed)) for seed in (4, 2, 7))
    assert sorted(summary["seed"] for (summary,) in told.of("seed_concluded")) == [1, 2, 4, 5, 7]


def test_there_are_no_more_processes_than_seeds(begun, tmp_path):
    processes = begun(ALL)
    train(tmp_path, Told(), seeds=(3, 4), size=8)
    assert len(processes) == 2


ENDINGS = {
    "os.kill(os.getpid(), signal.SIGKILL)": (
        "seed 1: its process was ended by SIGKILL; the other seeds were saved and stopped\n"
        "If nobody meant to, memory may have been full: fewer --jobs need less.\n"
        "To go on: ercframe run {folder} --resume --jobs 2"
    ),
    "os._exit(3)": (
        "seed 1: its process ended with exit code 3 and no word\nTo go on: ercframe run {folder} --resume --jobs 2"
    ),
    "end(1, 'failed', 'epoch 2: the loss must be finite')": "seed 1: epoch 2: the loss must be finite",
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_process_that_fails_is_named_by_its_seed_and_the_others_save_and_stop(begun, tmp_path, how):
    begun(f"\nfor seed in seeds():\n    {how} if seed == 1 else wait_for_a_signal(seed)\n")
    told = Told()
    with pytest.raises(RunError) as failed:
        train(tmp_path, told)
    assert str(failed.value) == ENDINGS[how].format(folder=tmp_path)
    assert ["seed 0: saved"] in told.of("notice") or not told.of("epoch_done")  # or it had not begun
    assert [2] not in told.of("seed_started")
    assert sorted(told.of("seed_done")) == sorted(told.of("seed_started"))


def test_what_fails_in_a_process_that_has_no_seed_yet_is_told_as_it_is(begun, tmp_path):
    begun("end(1, 'failed', 'the data must be there')")
    with pytest.raises(RunError, match=r"^the data must be there$"):
        train(tmp_path, Told())


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize("whole", [True, False], ids=["here", "at a process"])
def test_a_signal_here_or_at_a_process_is_for_all(begun, tmp_path, number, raised, whole):
    begun("\nfor seed in seeds():\n    wait_for_a_signal(seed)\n")

    def send():
        ((_, process, _),) = [epoch for epoch in told.of("epoch_done") if epoch[0] == 0]
        os.kill(os.getpid() if whole else process, number)

    told = Told(("epoch_done", 0), send)
    with pytest.raises(raised):
        train(tmp_path, told, seeds=(0, 1))
    if number == signal.SIGINT:
        assert [{"seed": 0, "finished": False}] in told.of("seed_concluded")
    else:
        assert ["seed 0: saved"] in told.of("notice")
    assert sorted(told.of("seed_done")) == sorted(told.of("seed_started"))


def test_a_second_ctrl_c_does_not_wait(begun, tmp_path):
    """The process tells that it was asked to stop, and goes on for ten minutes."""
    begun(
        "\ndef stop(*_):\n    tell('notice', 'stopping')\n    time.sleep(600)\n\n"
        "for seed in seeds():\n    signal.signal(signal.SIGINT, stop)\n"
        "    tell('notice', 'begun')\n    time.sleep(600)\n"
    )

    class Impatient(Told):
        def notice(self, text):
            """Ctrl-C, each time."""
            os.kill(os.getpid(), signal.SIGINT)

    told, began = Impatient(), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, told, seeds=(0,), size=1)
    assert time.monotonic() - began < 300
    assert told.of("seed_done") == [[0]]


def test_a_process_that_is_still_starting_is_not_waited_for(begun, tmp_path):
    begun("tell('notice', 'hello')\ntime.sleep(600)")
    told = Told(("notice", "hello"), lambda: os.kill(os.getpid(), signal.SIGTERM))
    began = time.monotonic()
    with pytest.raises(Terminated):
        train(tmp_path, told)
    assert time.monotonic() - began < 300
    assert told.of("seed_started") == []


def test_cores_are_divided_unless_the_environment_says_how_many(monkeypatch):
    monkeypatch.setattr(cores, "usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [crew.threads_of_each(jobs) for jobs in (1, 2, 3, 20)] == [8, 4, 2, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert crew.threads_of_each(2) == torch.get_num_threads()
