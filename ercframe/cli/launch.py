"""Starting a command in several processes on this machine, as ``torchrun`` does."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence

from ercframe.cores import share_of_cores
from ercframe.launcher_watch import LAUNCHER
from ercframe.signals import INTERRUPTED, PREEMPTED


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run ``ercframe`` with these arguments in several processes that find each other; returns the exit code.

    When one fails, the others are ended and its exit code is the result; one that a signal ended is named. Ctrl-C and
    SIGTERM go to all of them.
    """
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    _set_defaults(processes)
    logging.disable(logging.ERROR)  # what the launcher warns of is told here
    with tempfile.TemporaryDirectory(prefix="ercframe-") as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
            run_id=str(uuid.uuid4()),
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
        )
        try:
            elastic_launch(config, sys.executable)("-P", "-m", "ercframe", *arguments)
        except SignalException as stopped:
            # All have ended. One more Ctrl-C on the way out would change the exit code.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return {signal.SIGINT: INTERRUPTED, signal.SIGTERM: PREEMPTED}.get(stopped.sigval, 1)
        except ChildFailedError as failed:
            rank, failure = failed.get_first_failure()
            if failure.exitcode > 0:
                return int(failure.exitcode)
            sys.stderr.write(
                f"Process {rank} of {processes} was ended by {failure.signal_name()}; the others were stopped.\n"
                "If nobody meant to, memory may have been full. The run folder can be gone on with: "
                f"ercframe run FOLDER --resume --nproc {processes}\n"
            )
            return 1
        finally:
            logging.disable(logging.NOTSET)
    return 0


def _set_defaults(processes: int) -> None:
    """Say whose the processes are. Divide the cores, keep what the processes tell each other on this machine, and give
    them time to save their state after a signal, unless somebody has decided otherwise."""
    os.environ[LAUNCHER] = str(os.getpid())
    os.environ.setdefault("OMP_NUM_THREADS", str(share_of_cores(processes)))
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "120")  # seconds; read by PyTorch 2.13, 30 before
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
