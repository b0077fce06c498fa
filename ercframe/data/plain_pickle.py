"""Reading a pickle that holds plain data, without running anything in it.

A pickle is a program for a small stack machine, which may import and call whatever it names. This machine knows the
instructions that data needs. What they may name is in :mod:`ercframe.data.pickled_numpy`; anything else ends it.
"""

from __future__ import annotations

import codecs
import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ercframe.data import pickled_numpy
from ercframe.data.pickled_numpy import Name, NotPlainError, Unfinished, keys
from ercframe.errors import InputError

_NEWEST = 5  # protocol
# Of whole numbers. Nobody's data needs longer ones, and Python refuses to print very long ones.
_LONGEST_DECIMAL, _LONGEST_INTEGER = 80, 32  # digits, bytes
_OTHER_FILES = {
    b"\x1f\x8b": "a gzip file, which must be unpacked first",
    b"PK\x03\x04": "a zip file, such as .npz or PyTorch's",
    b"BZh": "a bzip2 file, which must be unpacked first",
    b"\xfd7zXZ": "an xz file, which must be unpacked first",
}
_REFUSED = {
    **dict.fromkeys((b"i", b"o", b"\x81", b"\x92"), "it makes an object of a class, which is no plain data"),
    **dict.fromkeys((b"P", b"Q"), "it refers to something outside the file"),
    **dict.fromkeys((b"\x82", b"\x83", b"\x84"), "it refers to Python's extension registry"),
    **dict.fromkeys((b"\x97", b"\x98"), "its buffers are not in the file"),
}
_DAMAGE = (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error, OverflowError)


def read_pickle(path: str | Path) -> Any:
    """The data of a pickle of any protocol, text of Python 2 as latin-1: numbers, text, containers, NumPy arrays.

    Arrays are read-only; ordered dicts and those with defaults become dicts. What was not finished when it was used
    stays an :class:`~ercframe.data.pickled_numpy.Unfinished`, which is no data to anybody.

    Raises:
        InputError: there is no such file, it is no complete pickle, or it holds anything else. Nothing was run.
    """
    path = Path(path)
    rule = f"{path} must be a pickle of plain data"
    try:
        with path.open("rb") as file:
            start = file.read(8)
            other = next((what for magic, what in _OTHER_FILES.items() if start.startswith(magic)), "")
            if not start or other:
                raise InputError(f"{rule} (got {other or 'an empty file'})")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                machine = _Machine(content)
                return machine.run()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except NotPlainError as error:
        raise InputError(f"{rule}: at byte {machine.began:,} {error}; nothing was run") from None
    except _DAMAGE:
        raise InputError(f"{rule}: at byte {machine.began:,} it is damaged, or no pickle; nothing was run") from None


class _Machine:
    """The stack machine: a list of values, lists put aside by marks, and values kept by number.

    Attributes:
        began: first byte of the instruction at hand.
    """

    def __init__(self, content: mmap.mmap) -> None:
        self.content, self.began, self._at = content, 0, 0
        self.stack: list[Any] = []
        self._aside: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._spare = len(content)

    def run(self) -> Any:
        while True:
            self.began = self._at
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            if code in _VALUES:
                value = _VALUES[code](self)  # before the stack is looked up, which it may change
                self.stack.append(value)
            elif code in _STEPS:
                _STEPS[code](self)
            else:
                raise NotPlainError(_REFUSED.get(code, f"there is {code!r}, which is no instruction of a pickle"))

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if not 0 <= size <= len(self.content) - self._at:
            raise NotPlainError("it is cut short")
        self._at += size
        return self.content[self._at - size : self._at]

    def line(self) -> bytes:
        """The rest of the line."""
        end = self.content.find(b"\n", self._at)
        return self.take((end if end >= 0 else len(self.content)) + 1 - self._at)[:-1]

    def number(self, form: str) -> Any:
        """A number in a form of :mod:`struct`."""
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return value

    def sized(self, form: str) -> bytes:
        """Bytes after their count, which has that form."""
        return self.take(self.number(form))

    def spend(self, values: int) -> None:
        """Account for values that are copied: a small file must not become large by copying one part many times."""
        self._spare -= values
        if self._spare < 0:
            raise NotPlainError("it copies more than the file holds")

    def mark(self) -> None:
        self._aside.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        """What was put on the stack since the last mark, which is taken back."""
        items, self.stack = self.stack, self._aside.pop()
        return items

    def keep(self, place: int) -> None:
        value = self.stack[-1]
        if isinstance(value, Unfinished):
            value.places.append(place)
        self._memo[place] = value

    def recall(self, place: int) -> None:
        self.stack.append(self._memo[place])

    def next_place(self) -> int:
        return len(self._memo)

    def extend(self, items: list[Any]) -> None:
        """Add items to the list or set on top."""
        target = self.stack[-1]
        if isinstance(target, set):
            target.update(keys(items))
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise NotPlainError(f"it adds items to a {type(target).__name__}")

    def insert(self, items: list[Any]) -> None:
        """Add keys and values in turn to the dict on top."""
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise NotPlainError(f"it adds keys to a {type(target).__name__}")
        target.update(zip(keys(items[::2]), items[1::2], strict=True))

    def popped(self, count: int) -> list[Any]:
        """The last values, taken from the stack."""
        if len(self.stack) < count:
            raise IndexError
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def build(self) -> None:
        """Give what is on top its contents."""
        state = self.stack.pop()
        unfinished = self.stack.pop()
        if not isinstance(unfinished, Unfinished):
            raise NotPlainError(f"it changes the inside of a {type(unfinished).__name__}")
        finished = unfinished.finish(state, self.spend)
        self._memo.update(dict.fromkeys(unfinished.places, finished))
        self.stack.append(finished)

    def call(self) -> None:
        function, arguments = self.popped(2)
        self.stack.append(pickled_numpy.call(function, arguments, self.spend))

    def begin(self) -> None:
        version = self.take(1)[0]
        if version > _NEWEST:
            raise NotPlainError(f"its protocol must be 0 to {_NEWEST} (got {version})")

    def put_name(self) -> None:
        module, attribute = self.popped(2)
        self.stack.append(pickled_numpy.name(module, attribute))


def _named(machine: _Machine) -> Name:
    module, attribute = machine.line(), machine.line()
    return pickled_numpy.name(module.decode("utf-8"), attribute.decode("utf-8"))


def _integer(machine: _Machine) -> int | bool:
    text = machine.line()
    return text == b"01" if text in (b"00", b"01") else _decimal(text)


def _decimal(text: bytes) -> int:
    if len(text) > _LONGEST_DECIMAL:
        raise NotPlainError(f"a whole number has {len(text):,} digits")
    return int(text)


def _quoted(machine: _Machine) -> str:
    text = machine.line().strip()
    if len(text) < 2 or text[:1] not in (b"'", b'"') or text[-1:] != text[:1]:
        raise NotPlainError("text has no quotes around it")
    return codecs.escape_decode(text[1:-1])[0].decode("latin-1")


def _escaped(text: bytes) -> str:
    decoded = text.decode("raw-unicode-escape")
    decoded.encode("utf-8")  # half of a surrogate pair, which cannot be written, fails here
    return decoded


def _long(content: bytes) -> int:
    if len(content) > _LONGEST_INTEGER:
        raise NotPlainError(f"a whole number has {len(content):,} bytes")
    return int.from_bytes(content, "little", signed=True)


def _dict(machine: _Machine) -> dict[Any, Any]:
    items = machine.since_mark()
    return dict(zip(keys(items[::2]), items[1::2], strict=True))


_VALUES: dict[bytes, Callable[[_Machine], Any]] = {
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b"I": _integer,
    b"L": lambda m: _decimal(m.line().removesuffix(b"L")),
    b"J": lambda m: m.number("<i"),
    b"K": lambda m: m.number("<B"),
    b"M": lambda m: m.number("<H"),
    b"\x8a": lambda m: _long(m.sized("<B")),
    b"\x8b": lambda m: _long(m.sized("<i")),
    b"F": lambda m: float(m.line()),
    b"G": lambda m: m.number(">d"),
    b"S": _quoted,
    b"T": lambda m: m.sized("<i").decode("latin-1"),
    b"U": lambda m: m.sized("<B").decode("latin-1"),
    b"V": lambda m: _escaped(m.line()),
    b"X": lambda m: m.sized("<I").decode("utf-8"),
    b"\x8c": lambda m: m.sized("<B").decode("utf-8"),
    b"\x8d": lambda m: m.sized("<Q").decode("utf-8"),
    b"B": lambda m: m.sized("<I"),
    b"C": lambda m: m.sized("<B"),
    b"\x8e": lambda m: m.sized("<Q"),
    b"\x96": lambda m: m.sized("<Q"),
    b"]": lambda m: [],
    b")": lambda m: (),
    b"}": lambda m: {},
    b"\x8f": lambda m: set(),
    b"l": lambda m: m.since_mark(),
    b"t": lambda m: tuple(m.since_mark()),
    b"\x85": lambda m: tuple(m.popped(1)),
    b"\x86": lambda m: tuple(m.popped(2)),
    b"\x87": lambda m: tuple(m.popped(3)),
    b"d": _dict,
    b"\x91": lambda m: set(keys(m.since_mark())),
    b"c": _named,
    b"2": lambda m: m.stack[-1],
}
"""Instructions that put a value on the stack."""

_STEPS: dict[bytes, Callable[[_Machine], Any]] = {
    b"(": lambda m: m.mark(),
    b"0": lambda m: m.stack.pop(),
    b"1": lambda m: m.since_mark(),
    b"a": lambda m: m.extend(m.popped(1)),
    b"e": lambda m: m.extend(m.since_mark()),
    b"\x90": lambda m: m.extend(m.since_mark()),
    b"s": lambda m: m.insert(m.popped(2)),
    b"u": lambda m: m.insert(m.since_mark()),
    b"p": lambda m: m.keep(int(m.line())),
    b"q": lambda m: m.keep(m.number("<B")),
    b"r": lambda m: m.keep(m.number("<I")),
    b"\x94": lambda m: m.keep(m.next_place()),
    b"g": lambda m: m.recall(int(m.line())),
    b"h": lambda m: m.recall(m.number("<B")),
    b"j": lambda m: m.recall(m.number("<I")),
    b"\x93": lambda m: m.put_name(),
    b"R": lambda m: m.call(),
    b"b": lambda m: m.build(),
    b"\x80": lambda m: m.begin(),
    b"\x95": lambda m: m.take(8),
}
"""Instructions that change what is there."""
