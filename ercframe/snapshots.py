"""The two newest states of something, each checked by a digest when it is read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ercframe.files import PART, make_durable, write_text
from ercframe.tensor_files import save_tensors
from ercframe.tensor_tree import pack, unpack

INDEX = "state.json"


class Snapshots:
    """``folder/NUMBER/``: a state as ``state.json`` and a safetensors file for each of its parts that has tensors.

    A number appears in one step when all of it is on the disk. The two newest are kept, in files of their own, so that
    damage to one is no damage to the other.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __bool__(self) -> bool:
        """Whether there is a state, whole or damaged."""
        return any(self._numbers())

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep a nested state, see :func:`~ercframe.tensor_tree.pack`; its top level are the parts.

        Raises:
            OSError: it cannot be written; what was saved before is untouched.
            TypeError: something in it is neither a tensor nor plain.
        """
        number = max(self._numbers(), default=0) + 1
        being_made = self.folder / f".{number}{PART}"
        shutil.rmtree(being_made, ignore_errors=True)
        try:
            being_made.mkdir(parents=True)
            _write(being_made, state)
            make_durable(being_made)
            being_made.rename(self.folder / str(number))
        except BaseException:
            shutil.rmtree(being_made, ignore_errors=True)
            raise
        make_durable(self.folder)
        for old in sorted(self._numbers())[:-2]:
            shutil.rmtree(self.folder / str(old), ignore_errors=True)

    def load(self, tell: Callable[[str], None]) -> dict[str, Any] | None:
        """The newest state that is whole, on the host; None where there is none.

        Damaged ones are removed.

        Args:
            tell: told of each damaged state, in a line.
        """
        for number in sorted(self._numbers(), reverse=True):
            folder = self.folder / str(number)
            try:
                return _read(folder)
            except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
                tell(f"the state in {folder} is damaged and was left out: {error}")
                shutil.rmtree(folder, ignore_errors=True)
        return None

    def remove(self) -> None:
        """Forget all states."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _numbers(self) -> Iterator[int]:
        if self.folder.is_dir():
            yield from (int(path.name) for path in self.folder.iterdir() if path.name.isdigit())


def _write(folder: Path, state: Mapping[str, Any]) -> None:
    packed, digests = {}, {}
    for part, value in state.items():
        tensors: dict[str, Tensor] = {}
        packed[part] = pack(value, tensors)
        if tensors:
            file = folder / f"{part}.safetensors"
            save_tensors(file, tensors)
            digests[part] = _digest(file)
    index = {"files": digests, "state": packed}
    write_text(folder / INDEX, json.dumps({"sha256": _digest_of(index), **index}) + "\n")


def _read(folder: Path) -> dict[str, Any]:
    """A state.

    Raises:
        ValueError: it is not what was written. Reading its files may raise what else it likes.
    """
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    if index.pop("sha256") != _digest_of(index):
        raise ValueError(f"{INDEX} is not what was written")
    tensors: dict[str, dict[str, Tensor]] = {}
    for part, expected in index["files"].items():
        file = folder / f"{part}.safetensors"
        if _digest(file) != expected:
            raise ValueError(f"{file.name} is not what was written")
        tensors[part] = load_file(file)
    return {part: unpack(value, tensors.get(part, {})) for part, value in index["state"].items()}


def _digest_of(index: dict[str, Any]) -> str:
    """Of an index without its own digest; writing what was read gives the same text again."""
    return hashlib.sha256(json.dumps(index).encode()).hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
