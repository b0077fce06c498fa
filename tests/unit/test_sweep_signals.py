"""A sweep that is stopped by real signals at any moment knows how every trial ended."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from ercframe.sweep import drive, local
from ercframe.sweep.engine import ending
from ercframe.sweep.folder import SweepFolder
from ercframe.sweep.plan import Trial
from ercframe.sweep.trials import Listed

ROUNDS = 15
OF_ITS_OWN = 3
"""The exit code of a process that nobody stopped."""


class Silent:
    """A watcher that keeps nothing."""

    def reused(self, trial, others):
        """Nothing to say."""

    def started(self, trial, goes_on):
        """Nothing to say."""

    def ended(self, trial, row):
        """Nothing to say."""


def trial(name):
    return Trial(name, {}, "name: x", f"tiny-{name}", name, {"recipe.yaml": name}, "", frozenset())


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "preempted")])
def test_a_signal_at_any_moment_is_heeded_and_no_trial_is_lost_to_it(number, status, tmp_path, monkeypatch):
    processes = {}

    def start(task, environment):
        arguments = [sys.executable, "-S", "-E", "-c", f"raise SystemExit({OF_ITS_OWN})"]
        processes[task.name] = subprocess.Popen(arguments, stdin=subprocess.PIPE)
        return processes[task.name]

    def from_a_slow_disk(task, code):
        time.sleep(0.02)
        return ending(task, code)

    monkeypatch.setattr(local, "start", start)
    monkeypatch.setattr(local, "ending", from_a_slow_disk)  # so that many moments are between an end and its record
    monkeypatch.setattr(drive, "LOOK_AGAIN", 0.001)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    moments, stopped, late = random.Random(0), 0, []
    before = signal.signal(number, lambda *_: late.append(number))  # one that comes after the end of the sweep
    try:
        for attempt in range(ROUNDS):
            processes.clear()
            late.clear()
            sweep = drive.Sweep(
                SweepFolder.create(tmp_path / str(attempt)), local.LocalEngine(2), {"recipe": "tiny"}, Silent()
            )
            alarm = threading.Timer(moments.uniform(0, 0.5), os.kill, (os.getpid(), number))
            alarm.start()
            found = sweep.run(Listed(map(trial, "abcdefgh")))
            alarm.join()
            for name, process in processes.items():
                expected = "failed" if process.returncode == OF_ITS_OWN else "interrupted"
                assert sweep.records[name].status == expected, (name, process.returncode)
            if len(processes) < 8 or any(process.returncode < 0 for process in processes.values()):
                assert (found, late) == (status, [])
                stopped += 1
    finally:
        signal.signal(number, before)
    assert stopped, "some came in time"


@pytest.mark.parametrize(
    ("owner", "name", "status"), [(SweepFolder, "run", "interrupted"), (local, "ending", "failed")]
)
def test_a_second_interrupt_between_an_end_and_its_record_stops_the_others(owner, name, status, tmp_path, monkeypatch):
    processes, waiting = {}, [KeyboardInterrupt]
    whole = getattr(owner, name)

    def start(task, environment):
        code = f"raise SystemExit({OF_ITS_OWN})" if task.name == "ends" else "import time; time.sleep(600)"
        processes[task.name] = subprocess.Popen([sys.executable, "-S", "-E", "-c", code], stdin=subprocess.PIPE)
        return processes[task.name]

    def broken_into(*arguments):
        if waiting and any(process.returncode is not None for process in processes.values()):
            raise waiting.pop()
        return whole(*arguments)

    monkeypatch.setattr(local, "start", start)
    monkeypatch.setattr(owner, name, broken_into)
    folder = SweepFolder.create(tmp_path / "sweep")
    sweep = drive.Sweep(folder, local.LocalEngine(2), {"recipe": "tiny"}, Silent())
    assert sweep.run(Listed(map(trial, ["ends", "goes-on", "comes-later"]))) == "interrupted"
    assert not waiting
    assert processes["goes-on"].returncode == -signal.SIGTERM
    kept = json.loads((folder.path / "sweep.json").read_text())
    assert kept["status"] == "interrupted"
    assert {row["name"]: row["status"] for row in kept["trials"]} == {"ends": status, "goes-on": "interrupted"}
