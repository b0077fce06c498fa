"""Reading pickles: plain data of every protocol comes back, and nothing that a pickle may ask for is ever done."""

import collections
import gzip
import os
import pickle
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from ercframe import InputError, read_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def _read(folder: Path, content: bytes) -> Any:
    path = folder / "data.pkl"
    path.write_bytes(content)
    return read_pickle(path)


def _refusal(folder: Path, content: bytes) -> str:
    with pytest.raises(InputError) as caught:
        _read(folder, content)
    return str(caught.value).replace(f"{folder}/data.pkl must be a pickle of plain data", "").lstrip(":( ").rstrip(")")


def test_a_path_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "data.pkl").write_bytes(pickle.dumps([1]))
    assert read_pickle(str(tmp_path / "data.pkl")) == [1]


# Plain data


DATA: dict[str, Any] = {
    "numbers": [0, -1, 255, 65536, 2**31, -(2**70), 1.5, float("inf"), True, False, None],
    "text": ["", "né", "日本", 'it\'s "quoted"\n'],
    "bytes": [b"", b"\x00\xff"],
    "containers": ({"a": [1, (2, 3)]}, (), [], {}, (1,), (1, 2), (1, 2, 3, 4)),
    "sets": {"x", "y"},
    "arrays": [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype="int16").reshape(2, 3)),
        np.zeros((0, 4), "float32"),
        np.array(["a", "bcd"]),
        np.array([b"a", b"bc"]),
        np.array([True, False]),
        np.arange(3, dtype=">f4"),
        np.array(5, "uint8"),
        np.array([[1], "x", None], dtype=object),
    ],
    "scalars": [np.float32(1.5), np.int64(-3), np.bool_(True), np.str_("x")],
}


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        alike = found.dtype == expected.dtype and found.shape == expected.shape
        return bool(alike and found.tolist() == expected.tolist())
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(_same(found[k], expected[k]) for k in expected)
    if isinstance(expected, list | tuple):
        return type(found) is type(expected) and all(map(_same, found, expected)) and len(found) == len(expected)
    return bool(found == expected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("what", DATA)
def test_plain_data_of_every_protocol(tmp_path: Path, what: str, protocol: int) -> None:
    assert _same(_read(tmp_path, pickle.dumps(DATA[what], protocol)), DATA[what])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_special_dicts_become_dicts(tmp_path: Path, protocol: int) -> None:
    default = collections.defaultdict(list, {"a": [1]})
    found = _read(tmp_path, pickle.dumps((collections.OrderedDict(b=1, a=2), default), protocol))
    assert found == ({"b": 1, "a": 2}, {"a": [1]})
    assert [type(item) for item in found] == [dict, dict]


@pytest.mark.parametrize("old", [b"numpy.core", b"numpy._core"])
@pytest.mark.parametrize("protocol", [0, 2])
def test_arrays_of_older_and_newer_numpy(tmp_path: Path, old: bytes, protocol: int) -> None:
    content = pickle.dumps([np.arange(3), np.float64(2.5)], protocol)
    now = b"numpy._core" if b"numpy._core" in content else b"numpy.core"
    array, number = _read(tmp_path, content.replace(now, old))
    assert (array.tolist(), number) == ([0, 1, 2], 2.5)


def test_a_pickle_of_python_2(tmp_path: Path) -> None:
    """Written by hand as Python 2 did: text and the bytes of arrays are byte strings."""
    raw = struct.pack("<3f", 1, 2, 3)
    content = (
        b"\x80\x02}q\x01U\x03utt(cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85U\x01b\x87Rq\x04"
        b"(K\x01K\x03\x85cnumpy\ndtype\nq\x05U\x02f4K\x00K\x01\x87Rq\x06(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK"
        b"\x00tb\x89U\x0c" + raw + b"tbU\x02\xe9\xe8h\x04ts."
    )
    (array, text, again) = _read(tmp_path, content)["utt"]
    assert (array.tolist(), text) == ([1, 2, 3], "éè")
    assert again is array, "the memo holds the finished array"
    assert _read(tmp_path, b"(lp0\nS'caf\\xe9'\np1\naI01\naL5L\na.") == ["café", True, 5]


def test_memory_that_refers_to_itself_is_data(tmp_path: Path) -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    found = _read(tmp_path, pickle.dumps(loop))
    assert found[0] == 1
    assert found[1] is found


def test_deep_nesting_needs_no_stack(tmp_path: Path) -> None:
    found = _read(tmp_path, b"]" * 100_000 + b"a" * 99_999 + b".")
    assert len(found) == 1


@given(st_numpy.arrays(st.sampled_from(["f2", "f4", ">f8", "i1", "u8", "?", "U3"]), st_numpy.array_shapes(min_side=0)))
def test_any_array(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray[Any, Any]) -> None:
    found = _read(tmp_path_factory.getbasetemp(), pickle.dumps(array))
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()


# Attacks: each would make the file "canary" if Python's own pickle read it, or waste memory or time


class _Calls:
    """Pickles as a call of something."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.made = (function, arguments)

    def __reduce__(self) -> Any:
        return self.made


CANARY = "touch canary"
PYTHON = "open('canary', 'w')"


def _call(function: Any, *arguments: Any) -> bytes:
    return pickle.dumps(_Calls(function, *arguments))


def _global(module: str, name: str, *steps: bytes) -> bytes:
    return f"c{module}\n{name}\n".encode() + b"".join(steps) + b"."


def _text(value: str) -> bytes:
    return b"V" + value.encode() + b"\n"


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR"
FLOATS = b"cnumpy\ndtype\n(Vf8\nI0\nI1\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntb"
OBJECTS = FLOATS.replace(b"f8", b"O8").replace(b"V<", b"V|").replace(b"I0\ntb", b"I63\ntb")
PAYLOAD = b"(cos\nsystem\n(" + _text(CANARY) + b"tRl"

ATTACKS: dict[str, bytes] = {
    "os.system": _call(os.system, CANARY),
    "posix.system": _global("posix", "system", b"(", _text(CANARY), b"tR"),
    "subprocess": _call(subprocess.call, ["touch", "canary"]),
    "eval": _call(eval, PYTHON),
    "exec": _call(exec, PYTHON),
    "eval of Python 2": _global("__builtin__", "eval", b"(", _text(PYTHON), b"tR"),
    "open": _call(open, "canary", "w"),
    "getattr": _global("builtins", "getattr", b"(cos\nsystem\n", b"V__call__\ntR"),
    "getattr of something allowed": _global("builtins", "getattr", b"(cnumpy\nndarray\nV__class__\ntR"),
    "__import__": _call(__import__, "os"),
    "nested in data": pickle.dumps({"a": [1, (2, _Calls(os.system, CANARY))]}),
    "nested in a call that is allowed": _global("builtins", "set", b"((cos\nsystem\n(", _text(CANARY), b"tRltR"),
    "INST": b"(" + _text(CANARY) + b"ios\nsystem\n.",
    "OBJ": b"(cos\nsystem\n" + _text(CANARY) + b"o.",
    "NEWOBJ": _global("subprocess", "Popen", b"(", _text(CANARY), b"t\x81"),
    "NEWOBJ of something allowed": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "NEWOBJ_EX": _global("subprocess", "Popen", b"(", _text(CANARY), b"t}\x92"),
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0ctouch canary\x85R.",
    "STACK_GLOBAL with dots": b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__class__\x93.",
    "a name that is no text": b"\x80\x04K\x01K\x02\x93.",
    "a path in a module": _global("numpy.core.multiarray", "sys.modules"),
    "BUILD of a dict": b"}(" + _text("a") + b"I1\ntb.",
    "BUILD that sets attributes": b"cnumpy\nndarray\n}" + _text("__setstate__") + b"cos\nsystem\nsb.",
    "BUILD of a list": b"](" + _text("a") + b"tb.",
    "copyreg": _global("copyreg", "_reconstructor", b"(cos\nsystem\nNNtR"),
    "copy_reg of Python 2": _global("copy_reg", "_reconstructor", b"(c__builtin__\nobject\nc__builtin__\nobject\nNtR"),
    "copyreg.add_extension": _global("copyreg", "add_extension", b"(Vos\nVsystem\nI1\ntR"),
    "the extension registry": b"\x82\x01.",
    "the extension registry, large": b"\x84\x01\x00\x00\x00.",
    "a persistent id": b"Pcanary\n.",
    "a binary persistent id": b"Vcanary\nQ.",
    "a payload in an array of objects": ARRAY + b"(I1\n(I1\nt" + OBJECTS + b"I00\n" + PAYLOAD + b"tb.",
    "an array of another class": _global("numpy.core.multiarray", "_reconstruct", b"(cos\nsystem\n(I0\ntVb\ntR"),
    "_reconstruct of a name": _global("numpy.core.multiarray", "_reconstruct", b"(", _text(CANARY), b"(I0\ntVb\ntR"),
    "_reconstruct with odd arguments": _global("numpy.core.multiarray", "_reconstruct", b"(I1\ntR"),
    "a scalar of an object": _global("numpy.core.multiarray", "scalar", b"(", OBJECTS, _text("x"), b"tR"),
    "a type with fields": _global("numpy", "dtype", b"(VV8\nI0\nI1\ntR(I3\nV|\nN(Va\nt}I8\nI1\nI16\ntb"),
    "an unknown type": _global("numpy", "dtype", b"(Vxyz\nI0\nI1\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntb"),
    "numpy.testing": _global("numpy.testing._private.utils", "runstring", b"(", _text(PYTHON), b"}tR"),
    "numpy.f2py": _global("numpy.f2py.diagnose", "run_command", b"(", _text(CANARY), b"tR"),
    "numpy.load": _global("numpy", "load", b"(Vcanary\ntR"),
    "numpy.memmap": _global("numpy", "memmap", b"(Vcanary\nVf8\nVw+\ntR"),
    "ctypes": _global("ctypes", "CDLL", b"(Vlibc.so.6\ntR"),
    "runpy": _global("runpy", "_run_code", b"(", _text(PYTHON), b"}tR"),
    "pickle in a pickle": _global("pickle", "loads", b"(", b"C\x02N.", b"tR"),
    "codecs that do more": _global("_codecs", "lookup", b"(Vidna\ntR"),
    "a codec that unpacks": _global("_codecs", "encode", b"(Va\nVzlib\ntR"),
    "a call of a number": b"I1\n)R.",
    "a default that runs": _global("collections", "defaultdict", b"(cos\ngetcwd\ntR"),
    "operator.methodcaller": _global("operator", "methodcaller", b"(Vsystem\n", _text(CANARY), b"tR"),
    "int of a long text": _global("builtins", "int", b"(", _text("9" * 10_000), b"tR"),
}

DAMAGED: dict[str, bytes] = {
    "cut short": pickle.dumps(DATA["arrays"])[:-40],
    "without an end": pickle.dumps([1, 2])[:-1],
    "a text file": b"utterance,label\n1,2\n",
    "JSON": b'{"a": 1}',
    "noise": bytes(range(256)) * 4,
    "zeros": bytes(1_000),
    "nothing on the stack": b".",
    "an unknown place in the memo": b"h\x05.",
    "a mark too few": b"e.",
    "protocol 6": b"\x80\x06N.",
    "keys without values": b"}(I1\nu.",
    "text that is no UTF-8": b"X\x01\x00\x00\x00\xff.",
    "half of a surrogate pair": b"V\\ud800\n.",
    "a number of many digits": b"L" + b"9" * 5_000 + b"L\n.",
    "a number of many bytes": b"\x8b" + struct.pack("<i", 5_000) + b"\x01" * 5_000 + b".",
    "a tuple as a key": b"}(I1\nI2\ntI3\ns.",
    "a list as a key": b"}]I3\ns.",
    "items for a number": b"I1\nI2\na.",
    "an array with too few bytes": ARRAY + b"(I1\n(I9\nt" + FLOATS + b"I00\nC\x08" + bytes(8) + b"tb.",
    "an array with a negative shape": ARRAY + b"(I1\n(I-1\nt" + FLOATS + b"I00\nC\x08" + bytes(8) + b"tb.",
    "an array of text with a number that is no character": pickle.dumps(np.frombuffer(b"\xff\xff\xff\x7f", "<U1")),
    "an array of text with half of a surrogate pair": pickle.dumps(np.frombuffer(b"\0\0\xd8\0", ">U1")),
    "an array without a type": ARRAY + b"(I1\n(I1\ntNI00\nC\x08" + bytes(8) + b"tb.",
}

BOMBS: dict[str, bytes] = {
    "BINUNICODE8": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
    "BINBYTES8": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",
    "BYTEARRAY8": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.",
    "BINSTRING of a negative length": b"T\xff\xff\xff\xff.",
    "LONG4": b"\x8b\xff\xff\xff\x7f.",
    "a frame": b"\x80\x04\x95" + struct.pack("<Q", 2**63),
    "LONG_BINPUT": b"Nr\xff\xff\xff\xff0" * 50 + b"N.",
    "an array that is not there": ARRAY + b"(I1\n(I1000000000000\nt" + FLOATS + b"I00\nC\x08" + bytes(8) + b"tb.",
    "_reconstruct of a giant": ARRAY.replace(b"(I0\nt", b"(I1000000000000\nt") + b".",
    "an empty array of a giant shape": ARRAY + b"(I1\n(I0\nL99999999999999999999L\nt" + FLOATS + b"I00\nC\x00tb.",
    "a list copied many times": b"(" + b"N" * 20_000 + b"lp0\n0(" + b"cbuiltins\nlist\n(g0\ntR" * 20_000 + b"l.",
    "text encoded often": b"V" + b"x" * 20_000 + b"\np0\n0(" + b"c_codecs\nencode\n(g0\nVlatin1\ntR" * 20_000 + b"l.",
    "a key that is a tower of tuples": b"NN\x86" + b"2\x86" * 200 + b"}q\x000h\x00h\x01I1\ns.",
}


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "canary"


LIVE = ("os.system", "eval", "open", "INST", "STACK_GLOBAL", "nested in data", "a payload in an array of objects")


def test_the_attacks_are_real(canary: Path) -> None:
    """Python's own pickle, in a process of its own, does what these say: the next test can fail."""
    program = "import pickle, sys; pickle.load(sys.stdin.buffer)"
    for name in LIVE:
        subprocess.run([sys.executable, "-c", program], input=ATTACKS[name], capture_output=True, check=False)
        assert canary.exists(), name
        canary.unlink()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_does_nothing(canary: Path, name: str) -> None:
    loaded = set(sys.modules)
    message = _refusal(canary.parent, ATTACKS[name])
    assert message.startswith("at byte ")
    assert message.endswith("; nothing was run")
    assert not canary.exists()
    imported = {module for module in sys.modules.keys() - loaded if not module.startswith("encodings.")}
    assert imported == set()


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_pickle_is_refused(canary: Path, name: str) -> None:
    assert _refusal(canary.parent, DAMAGED[name]).startswith("at byte ")


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_small_here(canary: Path, name: str) -> None:
    """It is refused, or harmless, in a process that may have no more than 4 GB and 20 s of a processor."""
    (canary.parent / "bomb.pkl").write_bytes(BOMBS[name])
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 << 30,) * 2)\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\n"
        "from pathlib import Path; from ercframe import InputError, read_pickle\n"
        "try: print('read', type(read_pickle(Path('bomb.pkl'))).__name__)\n"
        "except InputError as error: print('refused', error)\n"
        # Not getrusage: its peak may be that of the process that started this one.
        "peak = int(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
        "assert peak < 300_000, f'{peak} kB'"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=600, env=environment
    )
    assert done.returncode == 0, done.stderr
    harmless = name in ("LONG_BINPUT", "_reconstruct of a giant")
    assert done.stdout.startswith("read" if harmless else "refused")


OTHER_FILES = {
    "a gzip file, which must be unpacked first": gzip.compress(pickle.dumps([1])),
    "a zip file, such as .npz or PyTorch's": None,
    "an empty file": b"",
}


@pytest.mark.parametrize("what", OTHER_FILES)
def test_another_kind_of_file_is_named(tmp_path: Path, what: str) -> None:
    content = OTHER_FILES[what]
    if content is None:
        np.savez(tmp_path / "a.npz", x=np.arange(3))
        content = (tmp_path / "a.npz").read_bytes()
    assert _refusal(tmp_path, content) == f"got {what}"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pkl cannot be read: No such file or directory$"):
        read_pickle(tmp_path / "none.pkl")


@given(st.binary(max_size=200))
def test_any_bytes_are_data_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    with suppress(InputError):
        _read(tmp_path_factory.getbasetemp(), content)


@given(st.data())
def test_a_pickle_changed_anywhere_is_data_or_refused(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    content = bytearray(pickle.dumps(DATA["arrays"], data.draw(st.sampled_from(PROTOCOLS))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        _read(tmp_path_factory.getbasetemp(), bytes(content))
