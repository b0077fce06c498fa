"""Tensors without values that say they are on a GPU: what would make a host wait for one fails at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

GPU = torch.device("cuda", 0)
"""What tensors on the device ``meta`` say of themselves inside of :func:`pretended_gpu`."""


@contextmanager
def pretended_gpu() -> Iterator[None]:
    """A block in which the device ``cuda`` takes tensors, with and without a GPU, but holds no values.

    They are on PyTorch's device ``meta``, which computes shapes and dtypes, forward and backward, and has no value to
    read: ``.item()``, ``.tolist()``, ``if x.any()`` and ``nonzero`` raise there what is told as a wait on a GPU. Code
    that asks for the device of a tensor is told ``cuda:0``, so it goes the way that it goes on a GPU.

    Not found are faults of values, of memory and of kernels. Autocast has no effect on ``meta``.
    """
    cudnn = torch.backends.cudnn
    before, cudnn.enabled = cudnn.enabled, False  # it would look for the library, and warn where there is none
    try:
        with _SaysCuda():
            yield
    finally:
        cudnn.enabled = before


@contextmanager
def no_waiting() -> Iterator[None]:
    """A block, inside of :func:`pretended_gpu`, in which nothing may make the host wait until the GPU is idle.

    Raises:
        RuntimeError: values go between host and GPU without ``non_blocking=True``: in a copy, in an operation on
            tensors of both, in ``torch.tensor(…, device=…)`` or in an index that is a list. Or values are put where a
            mask says, ``x[mask] = values``: the host reads how many places it has. Only one number of Python, put
            where one mask alone says and not added to what is there, is filled in without.
    """
    with _NoValuesFromPython(), _NoCopies():  # type: ignore[no-untyped-call]
        yield


class _SaysCuda(TorchFunctionMode):
    """Turns ``cuda`` into ``meta`` on the way in, and ``meta`` into ``cuda:0`` where a tensor is asked."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func == Tensor.device.__get__:
            device = func(*args)
            return GPU if device.type == "meta" else device
        if func == Tensor.is_cuda.__get__:  # type: ignore[attr-defined]
            return bool(args[0].is_meta)
        if func is Tensor.pin_memory:  # needs a driver
            return args[0]
        if func is Tensor.cuda:
            return args[0].to("meta")
        return func(*tree_map(_hidden, tuple(args)), **tree_map(_hidden, dict(kwargs or {})))


def _hidden(value: Any) -> Any:
    if isinstance(value, torch.device):
        return torch.device("meta") if value.type == "cuda" else value
    return "meta" if isinstance(value, str) and re.fullmatch(r"cuda(:\d+)?", value) else value


class _NoValuesFromPython(TorchFunctionMode):
    """Raises where it matters that a value is a tensor on the GPU, or a number of Python, which ``meta`` forgets."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in _MAKE_FROM_NUMBERS and made.is_cuda and not isinstance(_data(func, args, kwargs or {}), Tensor):
            raise RuntimeError(f"{func.__name__} makes the host wait: it copies numbers to the device")
        if func in _INDEX and args[0].is_cuda and any(isinstance(x, list) for x in _axes(args[1])):
            raise RuntimeError("an index that is a list makes the host wait: it is copied to the device")
        if func in _PUT_BY_USERS and _puts_from_gpu(*args, **(kwargs or {})):
            raise RuntimeError(f"{func.__name__} makes the host wait: {_PUTS}")
        return made


_MAKE_FROM_NUMBERS = (torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor)
_INDEX = (Tensor.__getitem__, Tensor.__setitem__)
_PUT_BY_USERS = (Tensor.__setitem__, Tensor.index_put_, Tensor.index_put, torch.index_put_, torch.index_put)
_PUTS = "it puts values where a mask says; torch.where does not"


def _data(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> object:
    """What one of ``_MAKE_FROM_NUMBERS`` makes a tensor of."""
    given = args[1:] if func is Tensor.new_tensor else args
    return given[0] if given else kwargs["obj" if func is torch.asarray else "data"]


def _puts_from_gpu(target: Tensor, indices: object, values: object, accumulate: bool = False) -> bool:
    """Whether a mask says where values of the GPU go; on ``meta`` one looks like a number of Python afterwards."""
    from_gpu = isinstance(values, Tensor) and values.is_cuda
    return target.is_cuda and from_gpu and any(map(_is_mask, indices if isinstance(indices, list) else _axes(indices)))


def _is_mask(index: object) -> bool:
    return isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)


def _axes(index: object) -> tuple[object, ...]:
    return index if isinstance(index, tuple) else (index,)


class _NoCopies(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Raises where an operation takes or gives tensors of two devices, or puts values where a mask says."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        given = _tensors((args, kwargs))
        # A single number from the host travels with the call of a kernel.
        taken = [x for x in given if x.dim() or len(given) == 1]
        devices = {x.device.type for x in [*taken, *_tensors(made)]}
        if len(devices) > 1 and not _is_free(func, args, kwargs or {}):
            shapes = ", ".join(str(tuple(x.shape)) for x in given)
            raise RuntimeError(f"{func} makes the host wait: it moves values between host and device (shapes {shapes})")
        if func.overloadpacket in _PUT and _reads_a_mask(*args[:4]):
            raise RuntimeError(f"{func} makes the host wait: {_PUTS}")
        return made


_aten = torch.ops.aten
_PUT = (_aten.index_put, _aten.index_put_, _aten._index_put_impl_)
_READ_SIZES_ON_THE_HOST = (_aten.lstm.data, _aten.gru.data, _aten.rnn_tanh.data, _aten.rnn_relu.data)
"""Recurrent layers over a ``PackedSequence``, whose batch sizes belong on the host."""


def _reads_a_mask(target: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> bool:
    """Whether the host must know the places of a mask: unless one value is filled in where one mask alone says."""
    masks = [x for x in indices if _is_mask(x)]
    filled_in = not accumulate and values.numel() == 1 and sum(x is not None for x in indices) == 1
    return target.device.type != "cpu" and bool(masks) and not filled_in


def _is_free(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether it is a copy that is told not to wait, or an operation that needs a tensor on the host."""
    if func in _READ_SIZES_ON_THE_HOST:
        return True
    if func is _aten.copy_.default:
        return bool(kwargs.get("non_blocking", len(args) > 2 and args[2]))
    return bool(kwargs.get("non_blocking"))


def _tensors(value: object) -> list[Tensor]:
    return [x for x in tree_leaves(value) if isinstance(x, Tensor)]
