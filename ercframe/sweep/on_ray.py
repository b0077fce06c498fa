"""Trials on the machines of a Ray cluster, or on this one through Ray."""

from __future__ import annotations

import os
import time
from typing import Any

from ercframe.errors import InputError, RunError
from ercframe.extras import require
from ercframe.signals import PREEMPTED
from ercframe.sweep.engine import Ending, Task, ending, start

LOOK_AGAIN = 0.2
"""Seconds between two looks of a Ray task at its process."""
LOST = -9
"""What stands for the exit code of a task whose worker or machine is gone."""


class RayEngine:
    """Runs every task as soon as the cluster has room for it.

    All machines must see the working directory, the data and the sweep's folder under the same paths.

    Args:
        address: of a cluster to join; None starts one on this machine alone, which ends with the sweep.
        cpus: that a trial reserves; also its threads.
        gpus: that a trial reserves; may be a part of one.
        jobs: trials at a time at most.

    Raises:
        InputError: Ray is not installed, there is no such cluster, or no machine of it has what a trial reserves.
        RunError: it could not be started here.
    """

    def __init__(self, address: str | None, cpus: int, gpus: float, jobs: int | None = None) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
        self.ray: Any = require("ray", "ray", "--engine ray")
        self._connect(address)
        self._require_room(cpus, gpus)
        self.jobs = jobs or max(1, self._fit(cpus, gpus))
        run = self.ray.remote(max_retries=0)(_run)
        self._remote = run.options(num_cpus=cpus, num_gpus=gpus)
        self._running: dict[Any, Task] = {}

    def has_room(self) -> bool:
        """Whether another task may be handed over; Ray keeps it until there is room."""
        return len(self._running) < self.jobs

    def submit(self, task: Task) -> None:
        """Hand a task over."""
        self._running[self._remote.remote(task, os.getcwd())] = task

    def ended(self) -> tuple[Task, Ending] | None:
        """A task that has ended, which is told once; None where there is none now."""
        done = self.ray.wait(list(self._running), num_returns=1, timeout=0)[0] if self._running else []
        if not done:
            return None
        found = self._ending(done[0])
        del self._running[done[0]]  # last, so that what breaks in before loses no ending
        return found

    def stop(self, name: str) -> None:
        """Ask a task to save its state and end; does nothing where it was told to have ended."""
        for reference, task in self._running.items():
            if task.name == name:
                self.ray.cancel(reference)

    def close(self) -> None:
        """Leave the cluster; trials that still run, and a cluster that was started for the sweep, end."""
        self._running.clear()
        self.ray.shutdown()

    def _connect(self, address: str | None) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        alone: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        try:
            self.ray.init(**quiet, **({"address": "local", **alone} if address is None else {"address": address}))
        except Exception as error:  # Ray also raises this class itself
            self.ray.shutdown()
            if address is None:
                raise RunError(f"Ray could not be started on this machine: {error}") from error
            raise InputError(f"--ray-address must be of a running Ray cluster (got '{address}': {error})") from error

    def _require_room(self, cpus: int, gpus: float) -> None:
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
            most = ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
            self.ray.shutdown()
            raise InputError(f"--cpus {cpus} --gpus {gpus:g} must fit on one machine of the cluster (it has {most})")

    def _fit(self, cpus: int, gpus: float) -> int:
        total = self.ray.cluster_resources()
        return int(min(total.get("CPU", 0) // cpus, total.get("GPU", 0) // gpus if gpus else float("inf")))

    def _ending(self, reference: Any) -> tuple[Task, Ending]:
        task = self._running[reference]
        try:
            code: int = self.ray.get(reference)
        except self.ray.exceptions.TaskCancelledError:
            return task, Ending(PREEMPTED, "")
        except self.ray.exceptions.RayError as error:  # its machine is gone, or its worker was killed
            return task, Ending(LOST, "", lost=f"lost by Ray: {error}")
        return task, ending(task, code)


def _run(task: Task, folder: str) -> int:
    """On the machine that Ray chose: run a task's process to its end; its exit code."""
    os.chdir(folder)
    process = start(task, os.environ)
    try:
        while (code := process.poll()) is None:
            time.sleep(LOOK_AGAIN)
        return code
    except KeyboardInterrupt:  # cancelled
        process.terminate()
        return process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()
