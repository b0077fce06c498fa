"""What a pickle may name: NumPy's arrays and Python's containers, made here from their parts.

Nothing is imported and nothing of NumPy's own unpickling is called: an array is a view of bytes that are in the file,
so that a few bytes cannot ask for much memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

_TYPE = re.compile(r"([<>|=]?)(b1|\?|[iu][1248]|f[248]|[SU][1-9]\d{0,6}|O[48]?)")
_MOST_DIMENSIONS = 32
_PLAIN_KEYS = (str, bytes, int, float, type(None))


class NotPlainError(Exception):
    """The pickle holds something that is no plain data, or is damaged; says what."""


@dataclass(frozen=True)
class Name:
    """Something of a module that the pickle names. It is looked up in tables here, never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass
class Unfinished:
    """An array or type whose contents come in a later instruction.

    Attributes:
        code: type code of a type; empty for an array.
        places: where it is kept in the memo, to be replaced when it is finished.
    """

    code: str = ""
    places: list[int] = field(default_factory=list)

    def finish(self, state: Any, spend: Spend) -> Any:
        """The type, or the array, with the contents that ``state`` gives."""
        return _type(self.code, state) if self.code else _array_of_state(state, spend)


Order = Literal["C", "F"]
Spend = Callable[[int], None]
"""Told how many values are about to be copied; raises :class:`NotPlainError` when that is more than the file holds."""


def name(module: Any, attribute: Any) -> Name:
    """The name, if it is one of those that plain data needs.

    Raises:
        NotPlainError: it is not.
    """
    asked = Name(str(module), str(attribute))
    if not (isinstance(module, str) and isinstance(attribute, str) and (asked in CALLS or asked in _FACTORIES)):
        raise NotPlainError(f"it asks for {str(asked)[:80]!r}, which is no plain data")
    return asked


def call(asked: Any, arguments: Any, spend: Spend) -> Any:
    """What the pickle would have made by calling ``asked``.

    Raises:
        NotPlainError: it is not among :data:`CALLS`, or cannot be called so.
    """
    if not isinstance(asked, Name) or asked not in CALLS or not isinstance(arguments, tuple):
        raise NotPlainError(
            f"it calls {str(asked)[:80]!r}" if isinstance(asked, Name) else "it calls what is no function"
        )
    try:
        return CALLS[asked](spend, *arguments)
    except (TypeError, ValueError, AttributeError) as error:
        raise NotPlainError(f"it gives {asked} what it cannot take ({error})") from None


def keys(values: Sequence[Any]) -> Sequence[Any]:
    """Values that may be keys of a dict or members of a set: no tuples, whose hash can take for ever.

    Raises:
        NotPlainError: one is something else.
    """
    for value in values:
        if not isinstance(value, _PLAIN_KEYS):
            raise NotPlainError(f"a key must be text or a number (got a {type(value).__name__})")
    return values


def as_bytes(value: Any, spend: Spend) -> bytes | bytearray:
    """Bytes; text of Python 2 stands for its latin-1 bytes."""
    if isinstance(value, str):
        spend(len(value))
        return value.encode("latin-1")
    if isinstance(value, bytes | bytearray):
        return value
    raise TypeError(f"bytes must be bytes, not a {type(value).__name__}")


def _type(code: str, state: Any) -> np.dtype[Any]:
    match = _TYPE.fullmatch(code)
    plain = isinstance(state, tuple) and len(state) >= 5 and state[2:5] == (None, None, None)
    if match is None or not plain or state[1] not in ("<", ">", "|", "="):
        raise NotPlainError(f"arrays must be of numbers or text (got type {code[:20]!r})")
    kind = "O" if match[2].startswith("O") else match[2]
    return np.dtype(kind).newbyteorder(state[1])


def _array_of_state(state: Any, spend: Spend) -> np.ndarray[Any, Any]:
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise NotPlainError("an array has no contents")
    shape, dtype, by_columns, content = state[-4:]
    return _array(content, dtype, shape, "F" if by_columns else "C", spend)


def _array(content: Any, dtype: Any, shape: Any, order: Order, spend: Spend) -> np.ndarray[Any, Any]:
    if not isinstance(dtype, np.dtype):
        raise NotPlainError("an array has no type")
    if not isinstance(shape, tuple) or len(shape) > _MOST_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise NotPlainError("an array's shape must be whole numbers")
    size = math.prod(shape)
    if dtype.hasobject:
        if not isinstance(content, list) or len(content) != size:
            raise NotPlainError(f"an array of {size:,} objects must come with a list of them")
        spend(size)
        flat = np.empty(size, dtype=object)
        for i, value in enumerate(content):  # all at once NumPy would look into lists
            flat[i] = value
        return flat.reshape(shape, order=order)
    raw = as_bytes(content, spend)
    if len(raw) != size * dtype.itemsize:
        raise NotPlainError(f"an array of {size * dtype.itemsize:,} bytes must come with them (got {len(raw):,})")
    if not size:
        return np.empty(0, dtype).reshape(shape)
    if dtype.kind == "U":
        _check_text(np.frombuffer(raw, np.dtype(np.uint32).newbyteorder(dtype.byteorder)))
    return np.frombuffer(raw, dtype).reshape(shape, order=order)


def _check_text(codes: np.ndarray[Any, Any]) -> None:
    """Refuse numbers that are no characters, at which NumPy ends with a SystemError, and halves of surrogate pairs."""
    if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))).any():
        raise NotPlainError("an array of text must hold characters")


def _reconstruct(spend: Spend, kind: Any, shape: Any, code: Any) -> Unfinished:
    if kind != Name("numpy", "ndarray"):
        raise NotPlainError("it makes an array of another class")
    return Unfinished()


def _dtype(spend: Spend, code: Any, align: Any = False, copy: Any = True) -> Unfinished:
    if not isinstance(code, str) or not code or align:
        raise NotPlainError("arrays must be of numbers or text")
    return Unfinished(code)


def _scalar(spend: Spend, dtype: Any, content: Any) -> Any:
    if isinstance(dtype, np.dtype) and dtype.hasobject:
        raise NotPlainError("a number must not be an object")
    return _array(content, dtype, (), "C", spend).item()


def _from_buffer(spend: Spend, content: Any, dtype: Any, shape: Any, order: Any) -> Any:
    return _array(content, dtype, shape, "F" if order == "F" else "C", spend)


def _encode(spend: Spend, text: str, encoding: Any) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise NotPlainError("bytes must be encoded as latin-1")
    spend(len(text))
    return text.encode("latin-1")


def _bytes(spend: Spend, content: Any = b"", encoding: Any = None) -> bytes:
    return bytes(as_bytes(content, spend))


def _set(spend: Spend, values: list[Any] | tuple[Any, ...] = ()) -> set[Any]:
    spend(len(values))
    return set(keys(values))


def _list(spend: Spend, values: list[Any] | tuple[Any, ...] = ()) -> list[Any]:
    spend(len(values))
    return [*values]


def _ordered(spend: Spend, pairs: list[Any] | tuple[Any, ...] = ()) -> dict[Any, Any]:
    spend(len(pairs))
    keys([key for key, _ in pairs])
    return {key: value for key, value in pairs}  # noqa: C416  a dict would take a mapping, too


def _default(spend: Spend, factory: Any = None) -> dict[Any, Any]:
    if factory is not None and factory not in _FACTORIES:
        raise NotPlainError("a default must be an empty container or a number")
    return {}


_BUILTINS = ("builtins", "__builtin__")
_CORES = ("numpy.core", "numpy._core")
_FACTORIES = {Name(b, n) for b in _BUILTINS for n in ("list", "dict", "set", "int", "float", "str", "bool")} | {
    Name("numpy", "ndarray")
}
CALLS: dict[Name, Callable[..., Any]] = {
    **{Name(f"{core}.multiarray", "_reconstruct"): _reconstruct for core in _CORES},
    **{Name(f"{core}.multiarray", "scalar"): _scalar for core in _CORES},
    **{Name(f"{core}.numeric", "_frombuffer"): _from_buffer for core in _CORES},
    Name("numpy", "dtype"): _dtype,
    Name("_codecs", "encode"): _encode,
    **{Name(b, "set"): _set for b in _BUILTINS},
    **{Name(b, "frozenset"): _set for b in _BUILTINS},
    **{Name(b, "list"): _list for b in _BUILTINS},
    **{Name(b, n): _bytes for b in _BUILTINS for n in ("bytes", "bytearray")},
    Name("collections", "OrderedDict"): _ordered,
    Name("collections", "defaultdict"): _default,
}
"""Everything that a pickle may call, and what makes the result here."""
