"""How many operations a training step hands to the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from ercframe.bench.subject import Subject
from ercframe.data.dialogue import Dialogue

_MAKES_ROOM = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}
"""Operations that allocate and compute nothing."""


def count_operations(subject: Subject, dialogues: Sequence[Dialogue]) -> dict[str, int]:
    """The operations of PyTorch in each part of a step on the device: ``forward``, ``backward``, ``optimizer``.

    Views and allocations are left out, since they start nothing on a device. What is left starts one kernel or a few,
    so on a GPU this is the least number of kernels; the fused optimizer and a recurrent layer are one operation each.
    The step is taken: parameters change.
    """
    batch, counts = subject.batch(dialogues), {}
    subject.clear()
    with _Counter() as counter:  # type: ignore[no-untyped-call]
        total = subject.forward(batch)
        counts["forward"] = counter.taken()
        subject.backward(total)
        counts["backward"] = counter.taken()
        subject.update()
        counts["optimizer"] = counter.taken()
    subject.clear()
    return counts


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is computed."""

    count = 0

    def taken(self) -> int:
        """How many there were since it was last asked."""
        found, self.count = self.count, 0
        return found

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.count += not (_is_view(func) or func.overloadpacket.__name__ in _MAKES_ROOM)
        return func(*args, **(kwargs or {}))


def _is_view(func: Any) -> bool:
    """Whether what it returns lies in the memory of what it is given, unchanged."""
    returns = [value.alias_info for value in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in returns)
