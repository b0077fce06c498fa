"""The arithmetic that a model trains and predicts in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from ercframe.errors import InputError
from ercframe.settings import PrecisionName
from ercframe.training.products import MAY_ROUND, has_large_products, onednn_keeps_float32

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """How numbers are rounded on a device.

    Weights, gradients of weights, optimizer state and losses are float32 in every precision.

    Attributes:
        name: ``fp32``; ``tf32``: matrix products round their inputs to 10 bits of fraction; ``bf16`` and ``fp16``:
            autocast, which runs matrix products in that format; with fp16 the loss is scaled, lest small gradients
            vanish.
        device: type of the device, ``cpu`` or ``cuda``.
        large: whether the model multiplies large matrices, for which a CPU has a faster library.
    """

    name: Literal["fp32", "tf32", "bf16", "fp16"]
    device: str
    large: bool = False

    @classmethod
    def choose(cls, setting: PrecisionName, device: torch.device) -> Precision:
        """What a recipe asks for on this device; ``auto`` is bf16 where a GPU has it, and else fp32.

        A CPU keeps fp32: its results are those that repeat bit for bit, and not every CPU gains from bf16.

        Raises:
            InputError: the device does not have it.
        """
        if setting == "auto":
            return cls("bf16" if device.type == "cuda" and _has_bf16() else "fp32", device.type)
        if setting in ("tf32", "fp16") and device.type != "cuda":
            raise InputError(
                f"trainer.precision '{setting}' needs a CUDA device (got {device.type}); fp32 and bf16 work everywhere"
            )
        if setting == "bf16" and device.type == "cuda" and not _has_bf16():
            name = torch.cuda.get_device_name(device)
            raise InputError(f"trainer.precision 'bf16' needs a GPU that has it (got {name}); fp16 works there")
        return cls(setting, device.type)

    def suited_to(self, model: nn.Module) -> Precision:
        """The same precision, from the library that multiplies this model's matrices fastest."""
        return replace(self, large=has_large_products(model))

    def autocast(self) -> AbstractContextManager[Any]:
        """Where a forward pass belongs."""
        half = _HALF.get(self.name)
        return nullcontext() if half is None else torch.autocast(self.device, half)

    def scaler(self) -> torch.amp.GradScaler:
        """What scales the loss; passes it through unless the precision is fp16."""
        return torch.amp.GradScaler(self.device, enabled=self.name == "fp16")

    @contextmanager
    def matmuls(self) -> Iterator[None]:
        """Where all of a run belongs: inside, float32 matrix products are rounded as ``tf32`` says, or not at all."""
        cudnn = torch.backends.cudnn
        before = torch.get_float32_matmul_precision(), cudnn.allow_tf32
        torch.set_float32_matmul_precision(self._setting())
        cudnn.allow_tf32 = self.name == "tf32"  # those of an LSTM or GRU, which PyTorch would round without being asked
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before[0])
            cudnn.allow_tf32 = before[1]

    def _setting(self) -> str:
        if self.name == "tf32":
            return "high"
        by_onednn = self.name == "fp32" and self.device == "cpu" and self.large and onednn_keeps_float32()
        return MAY_ROUND if by_onednn else "highest"


def _has_bf16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))
