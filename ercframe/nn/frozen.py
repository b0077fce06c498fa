"""A network that is used but never trained."""

from __future__ import annotations

from typing import Any

from torch import nn


class Frozen(nn.Module):
    """Hold a network that is never trained, never in train mode and never saved.

    It moves with its owner between devices and dtypes. Whoever owns it rebuilds it, since it is in no checkpoint.

    Args:
        module: the network; put into eval mode, its parameters no longer ask for gradients.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        # In a tuple, the network is no submodule: state_dict, parameters and train() do not see it.
        self._held = (module.eval().requires_grad_(False),)

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._held[0]

    def _apply(self, fn: Any, recurse: bool = True) -> Frozen:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.module._apply(fn)  # type: ignore[no-untyped-call]
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the network returns; gradients reach the arguments, not the network."""
        return self.module(*args, **kwargs)
