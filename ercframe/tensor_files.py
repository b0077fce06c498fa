"""Tensors and arrays in safetensors files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file as save_array_file
from safetensors.torch import save_file
from torch import Tensor

from ercframe.files import write_atomically


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors atomically.

    Raises:
        OSError: the file cannot be written.
    """
    held = _apart(tensors)
    _save(path, lambda temporary: save_file(held, temporary, metadata=metadata))


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: dict[str, str] | None = None) -> None:
    """Write arrays atomically.

    Raises:
        OSError: the file cannot be written.
    """
    held = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    _save(path, lambda temporary: save_array_file(held, temporary, metadata=metadata))


def _save(path: Path, save: Callable[[Path], object]) -> None:
    """Let safetensors fill a file that is readable by whom the user's umask lets; alone it lets nobody else."""
    try:
        write_atomically(path, save)
    except SafetensorError as error:  # also where a file cannot be written
        raise OSError(f"{path}: {error}") from error


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the host, in storages of their own: a file may not hold one under two names, as tied weights are.

    Only those are copied that have to be.
    """
    storages: set[int] = set()
    held: dict[str, Tensor] = {}
    for name, x in tensors.items():
        found = x.detach().cpu().contiguous()
        if found.untyped_storage().data_ptr() in storages or found.untyped_storage().nbytes() != found.nbytes:
            found = found.clone(memory_format=torch.contiguous_format)
        storages.add(found.untyped_storage().data_ptr())
        held[name] = found
    return held
