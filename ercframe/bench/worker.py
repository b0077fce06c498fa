"""A subject in a process of its own, which measures when it is asked: so memory can be told apart."""

from __future__ import annotations

import itertools
import multiprocessing
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from ercframe import recipes
from ercframe.bench.operations import count_operations
from ercframe.bench.subject import against, batches, count_flops, matmul_rate, packed, timed_step
from ercframe.build import assemble
from ercframe.errors import RunError
from ercframe.training.device import choose_device
from ercframe.training.heap import keep_freed_memory

WARM_UP = 2
"""Steps before the first measured one: allocators and kernels settle."""


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        source, overrides, plugin_files, demo: the recipe, as for :func:`ercframe.recipes.load`.
        yardstick: name of the yardstick that takes the recipe's place; None for the recipe itself.
        threads: of PyTorch.
    """

    source: str
    overrides: tuple[str, ...]
    plugin_files: tuple[Path, ...]
    demo: bool
    yardstick: str | None
    threads: int


class Worker:
    """Handle of a measuring process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, steps: int) -> dict[str, Any]:
        """Take so many steps; none: what is known beside their time.

        Raises:
            RunError: the process ended, or what it measures failed.
        """
        try:
            self._connection.send(steps)
            found: dict[str, Any] = self._connection.recv()
        except (EOFError, OSError):
            raise RunError("a measuring process ended early; its error stands above (out of memory?)") from None
        return found


@contextmanager
def started(task: Task) -> Iterator[Worker]:
    """A process that measures ``task``, until the end of the block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, task), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Worker(ours)
    finally:
        ours.close()
        process.join(timeout=10)
        if process.is_alive():
            process.kill()


def _serve(connection: Connection, task: Task) -> None:
    torch.set_num_threads(task.threads)
    experiment = assemble(
        recipes.load(task.source, task.overrides, plugin_files=list(task.plugin_files), demo=task.demo)
    )
    device = choose_device(experiment.loaded.recipe.trainer.device)
    if task.yardstick:
        subject = against(experiment, task.yardstick, device)
    else:
        keep_freed_memory()
        subject = packed(experiment, device)
    source, precision = batches(experiment), subject.precision
    with precision.matmuls():
        for dialogues in itertools.islice(source, WARM_UP):
            timed_step(subject, dialogues, device)
        while (steps := _next(connection)) is not None:
            measured = []
            for dialogues in itertools.islice(source, steps):
                measured.append({"utterances": sum(map(len, dialogues)), **timed_step(subject, dialogues, device)})
            facts: dict[str, Any] = {} if steps else {"peak_bytes": _peak(device), "precision": precision.name}
            if not steps:  # after the peak was read: counting and the products need memory of their own
                dialogues = next(source)
                facts |= {"flops_per_utterance": count_flops(subject, dialogues) / sum(map(len, dialogues))}
                facts |= {"operations": count_operations(subject, dialogues)}
            connection.send({"steps": measured, "matmul_flops": matmul_rate(precision, device), **facts})


def _next(connection: Connection) -> int | None:
    try:
        steps: int = connection.recv()
    except EOFError:
        return None
    return steps


def _peak(device: torch.device) -> int:
    """Most bytes held at a time: on CUDA by tensors, on a CPU by the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
