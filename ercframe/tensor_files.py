"""Tensors in safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ercframe.files import write_atomically


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write safetensors atomically.

    Raises:
        OSError: the file cannot be written; safetensors itself has an error of its own for that.
    """
    held = _apart(tensors)
    try:
        write_atomically(path, lambda temporary: save_file(held, temporary, metadata=metadata))
    except SafetensorError as error:
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
