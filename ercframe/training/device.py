"""The device that a recipe trains on."""

from __future__ import annotations

import torch

from ercframe.errors import InputError


def choose_device(name: str, setting: str = "trainer.device") -> torch.device:
    """The device that a setting, named in errors, asks for.

    Raises:
        InputError: it asks for a CUDA device that there is not.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"{setting} must be a device of this machine (got '{name}', but PyTorch finds no CUDA)")
    device, count = torch.device(name), torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        raise InputError(f"{setting} must be a device of this machine: cuda:0 to cuda:{count - 1} (got '{name}')")
    return device
