"""The device that a recipe trains on, and whether what it computes repeats."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ercframe.errors import InputError, RunError
from ercframe.ranks import ALONE, Ranks


def choose_device(name: str, setting: str = "trainer.device", ranks: Ranks = ALONE) -> torch.device:
    """The device that a setting, named in errors, asks for; on CUDA each rank of a machine has its own.

    Raises:
        InputError: it asks for a CUDA device that there is not, or all ranks for the same one.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device(name)
    if not ranks.alone:
        return _device_of(ranks, name, setting)
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"{setting} must be a device of this machine (got '{name}', but PyTorch finds no CUDA)")
    device, count = torch.device(name), torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        raise InputError(f"{setting} must be a device of this machine: cuda:0 to cuda:{count - 1} (got '{name}')")
    return device


def _device_of(ranks: Ranks, name: str, setting: str) -> torch.device:
    """The GPU of a rank, by its number on its machine."""
    if name != "cuda":
        raise InputError(f"{setting} must be auto, cpu or cuda where several processes train (got '{name}')")
    count = torch.cuda.device_count()
    if ranks.local_size > count:
        raise InputError(
            f"each process of a machine needs a GPU of its own (got {ranks.local_size} processes, GPUs: {count}); "
            f"start fewer, or set {setting}=cpu"
        )
    torch.cuda.set_device(ranks.local_rank)
    return torch.device("cuda", ranks.local_rank)


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """A block in which, if ``wanted``, a GPU computes the same bits each time, or refuses to. A CPU does so anyway.

    It must begin before the process's first matrix product on a GPU, since cuBLAS reads its setting only then.

    Raises:
        RunError: an operation has no such implementation.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    before = torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        raise RunError(
            f"trainer.deterministic needs operations that repeat exactly (got: {str(error).splitlines()[0]})"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        cudnn.deterministic, cudnn.benchmark = before[1:]


@contextmanager
def threads(number: int) -> Iterator[None]:
    """A block in which PyTorch computes on so many cores of the host."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
