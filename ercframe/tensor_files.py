"""Tensors and arrays in safetensors files; the same ones give the same bytes."""

from __future__ import annotations

import json
import struct
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
    _save(path, lambda temporary: save_file(held, temporary, metadata=metadata), metadata)


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: dict[str, str] | None = None) -> None:
    """Write arrays atomically.

    Raises:
        OSError: the file cannot be written.
    """
    held = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    _save(path, lambda temporary: save_array_file(held, temporary, metadata=metadata), metadata)


def _save(path: Path, save: Callable[[Path], object], metadata: Mapping[str, str] | None) -> None:
    """Let safetensors fill a file that is readable by whom the user's umask lets; alone it lets nobody else."""

    def write(temporary: Path) -> None:
        save(temporary)
        if metadata is not None:
            _order_metadata(temporary, metadata)

    try:
        write_atomically(path, write)
    except SafetensorError as error:  # also where a file cannot be written
        raise OSError(f"{path}: {error}") from error


def _order_metadata(path: Path, metadata: Mapping[str, str]) -> None:
    """Give the metadata in a file's header the order that they have here: safetensors shuffles them at every write."""
    with path.open("r+b") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size)) | {"__metadata__": dict(metadata)}
        ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(ordered) <= size:  # what follows must stay where it is
            file.seek(8)
            file.write(ordered.ljust(size))


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
