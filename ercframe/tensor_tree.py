"""Nested state as JSON and named tensors, so that it can be kept without pickle."""

from __future__ import annotations

from typing import Any

from torch import Tensor

PLAIN = (bool, int, float, str, type(None))


def pack(tree: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """Nested dictionaries, lists and tuples as JSON; tensors are put into ``tensors`` by their path in the tree.

    Keys may be text or numbers and come back as what they were, tuples come back as tuples.

    Raises:
        TypeError: something in the tree is neither of these nor a tensor, number, text, True, False or None.
    """
    if isinstance(tree, Tensor):
        # {"a/b": …} and {"a": {"b": …}} have the same path.
        name = path if path not in tensors else f"{path}#{len(tensors)}"
        tensors[name] = tree
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"dict": [[pack(k, {}), pack(v, tensors, f"{path}/{k}")] for k, v in tree.items()]}
    if isinstance(tree, list | tuple):
        items = [pack(item, tensors, f"{path}/{i}") for i, item in enumerate(tree)]
        return {"list" if isinstance(tree, list) else "tuple": items}
    if isinstance(tree, PLAIN):
        return tree
    raise TypeError(f"{path or 'state'} must be made of dict, list, tuple, tensors and plain values (got {type(tree)})")


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """What :func:`pack` was given."""
    if not isinstance(packed, dict):
        return packed
    ((kind, value),) = packed.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {unpack(k, tensors): unpack(v, tensors) for k, v in value}
    items = [unpack(item, tensors) for item in value]
    return items if kind == "list" else tuple(items)
