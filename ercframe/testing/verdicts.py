"""How a check says that a component breaks the contract, or that it does not concern it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import torch
from torch import Tensor

# Reassociated float32 sums over a few values differ by far less; a value from another row by far more.
RELATIVE, ABSOLUTE = 1e-4, 1e-5


class ContractError(AssertionError):
    """A component breaks the contract of its kind."""


class NotApplicableError(Exception):
    """A check does not concern a component; the message says why."""


def require(holds: bool, message: str) -> None:
    """Fail with ``message``, which says what must hold and what was got."""
    if not holds:
        raise ContractError(message)


def require_same(what: str, got: Mapping[str, Tensor | None], expected: Mapping[str, Tensor | None]) -> None:
    """Fail where two sets of tensors differ by more than float32 rounding; ``what`` says why they must not."""
    require(list(got) == list(expected), f"{what}: names must stay {list(expected)} (got {list(got)})")
    for name, value in got.items():
        require_close(what, name, value, expected[name])


def require_close(what: str, name: str, got: Tensor | None, expected: Tensor | None) -> None:
    """Fail where two tensors differ by more than float32 rounding; no gradient counts as a gradient of zeros."""
    if got is None or expected is None:
        other = got if expected is None else expected
        require(other is None or not bool(other.any()), f"{what} (of '{name}' one is None, the other is not zeros)")
        return
    require(got.shape == expected.shape, f"{what} ('{name}' has shape {tuple(got.shape)}, not {tuple(expected.shape)})")
    far = ~torch.isclose(got, expected, RELATIVE, ABSOLUTE, equal_nan=True)
    if bool(far.any()):
        apart = float((got - expected).detach().abs().max())
        raise ContractError(
            f"{what} ('{name}' differs in {int(far.sum())} of {far.numel()} numbers, by up to {apart:.3g})"
        )


def require_finite(what: str, values: Mapping[str, Tensor | None]) -> None:
    """Fail where a tensor holds NaN or infinity; ``what`` says what they are."""
    for name, x in values.items():
        if x is not None and not bool(torch.isfinite(x).all()):
            raise ContractError(f"{what} must be finite (got NaN or infinity in '{name}')")


def tensors_of(value: object, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor inside of dataclasses and mappings, with its path."""
    if isinstance(value, Tensor):
        yield path, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors_of(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tensors_of(item, f"{path}[{key}]")


def copied(value: object) -> dict[str, Tensor]:
    """Copies of every tensor inside, by path."""
    return {path: x.clone() for path, x in tensors_of(value)}


def require_untouched(what: str, before: Mapping[str, Tensor], value: object) -> None:
    """Fail where a tensor inside is no longer what it was."""
    for path, x in tensors_of(value):
        require(_identical(x, before[path]), f"{what} must not be changed in place (got other values in '{path}')")


def _identical(x: Tensor, y: Tensor) -> bool:
    """Equal in every number, NaN being equal to NaN."""
    return x.shape == y.shape and x.dtype == y.dtype and bool(((x == y) | ((x != x) & (y != y))).all())
