"""Finding the operation that first made a number that is not finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ercframe.blame import calling_place
from ercframe.model import Learner
from ercframe.tensors import Batch, Term
from ercframe.training.state import random_state, restore_random_state
from ercframe.training.step import Step

FILLS = {"masked_fill", "masked_fill_", "fill_", "full", "full_like", "new_full", "where", "tensor", "as_tensor"}
"""Operations that put an infinity somewhere because they are told to, as a mask of attention is."""


class OperationError(Exception):
    """A loss term or a gradient was not finite.

    Attributes:
        terms: names of the terms that were not; empty where only gradients were.
        operation: where it began, in words.
        batch: which of the step's batches it was, from 0.
    """

    def __init__(self, terms: Sequence[str], operation: str, batch: int) -> None:
        self.terms, self.operation, self.batch = tuple(terms), operation, batch
        super().__init__(operation)


class AnomalyStep(Step):
    """A step that looks at its loss terms and gradients before it changes a parameter, which waits for the device.

    Where one is not finite, the same forward and backward pass is done again under observation.
    """

    def __call__(self, batches: Sequence[Batch]) -> list[Mapping[str, Term]]:
        self._done = 0
        return super().__call__(batches)

    def forward_backward(self, batch: Batch, counts: Mapping[str, Tensor] | None = None) -> Mapping[str, Term]:
        """As in :class:`Step`.

        Raises:
            OperationError: something is not finite; nothing was updated.
        """
        device = next(self.learner.parameters()).device
        drawn = random_state(device)
        buffers = {name: buffer.clone() for name, buffer in self.learner.named_buffers()}
        terms = super().forward_backward(batch, counts)
        broken = [name for name, term in terms.items() if not _finite(term.total)]
        # With scaled losses a gradient may overflow; the scaler then leaves the step out.
        grads = [] if self.scaler.is_enabled() else [p.grad for p in self.learner.parameters() if p.grad is not None]
        if not broken and all(map(_finite, grads)):
            self._done += 1
            return terms
        restore_random_state(drawn, device)
        for name, buffer in self.learner.named_buffers():
            buffer.data.copy_(buffers.get(name, buffer))
        self.optimizer.zero_grad(set_to_none=True)
        raise OperationError(broken, self._find(batch, counts), self._done)

    def _find(self, batch: Batch, counts: Mapping[str, Tensor] | None) -> str:
        faulty = [name for name, p in self.learner.named_parameters() if not _finite(p)]
        if faulty:
            return f"the parameter {faulty[0]} was not finite before the step"
        finder = _Finder(self.learner)
        with finder.watching():
            _, total = self.forward(batch, counts)
        if _finite(total):
            finder.watch_backward(total)
            self.backward(total)
        return finder.found() or "it did not come again when the step was repeated"


@dataclass(frozen=True)
class _Operation:
    name: str
    module: str
    place: str

    def __str__(self) -> str:
        inside = f" in {self.module}" if self.module else ""
        return f"'{self.name}'{inside}{f' ({self.place})' if self.place else ''}"


class _Finder(TorchFunctionMode):
    """Notes the first operation that makes NaN, or else infinity, from numbers; forward, then backward."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner
        self.path: list[str] = []
        self.by_node: dict[Any, _Operation] = {}
        self.nan: str = ""
        self.infinite: str = ""

    def found(self) -> str:
        return self.nan or self.infinite

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Follow the forward pass through the modules."""
        handles = []
        for name, module in self.learner.named_modules():
            handles.append(module.register_forward_pre_hook(partial(self._enter, name)))
            handles.append(module.register_forward_hook(self._leave, always_call=True))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str, module: nn.Module, arguments: object) -> None:
        self.path.append(name)

    def _leave(self, module: nn.Module, arguments: object, output: object) -> None:
        self.path.pop()

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = list(_tensors([*args, *(kwargs or {}).values()]))
        finite = all(map(_finite, given))  # before the call, which may write into them
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", str(func))
        for x in _tensors([result]):
            operation = _Operation(name, self.path[-1] if self.path else "", calling_place())
            if x.grad_fn is not None:
                self.by_node.setdefault(x.grad_fn, operation)
            if finite and not _finite(x) and name not in FILLS:
                self._note(f"forward of {operation}", [x])
        return result

    def watch_backward(self, total: Tensor) -> None:
        """Look at what every operation of the graph hands back."""
        seen, waiting = set(), [(total.grad_fn, _Operation("loss", "", ""))]
        while waiting:
            node, inherited = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            operation = self.by_node.get(node, inherited)
            node.register_hook(partial(self._backward, operation))
            waiting += [(following, operation) for following, _ in node.next_functions]

    def _backward(self, operation: _Operation, made: Sequence[Any], given: Sequence[Any]) -> None:
        if all(map(_finite, _tensors(given))):
            self._note(f"backward of {operation}", _tensors(made))

    def _note(self, words: str, made: Sequence[Tensor] | Iterator[Tensor]) -> None:
        for x in made:
            if not self.nan and x.is_floating_point() and bool(x.isnan().any()):
                self.nan = words
            elif not self.infinite and not _finite(x):
                self.infinite = words


def _finite(x: Tensor) -> bool:
    with torch._C.DisableTorchFunction():
        return not x.is_floating_point() or bool(torch.isfinite(x.detach()).all())


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
