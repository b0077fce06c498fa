"""Arrays in the files of a bundle, which must have the shapes that its manifest promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ercframe.errors import InputError


def read_arrays(
    path: Path, shapes: Mapping[str, tuple[int | None, ...]], except_for: str = ""
) -> dict[str, NDArray[Any]]:
    """Read the arrays of a file.

    Args:
        path: the file.
        shapes: that each must have; None is any length.
        except_for: one that is looked at, and not read.

    Raises:
        InputError: the file is missing or damaged, or an array has another shape.
    """
    if not path.is_file():
        raise damaged(path, "it is missing")
    try:
        with safe_open(path, framework="np") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            wrong = [
                f"'{name}' must be {list(shape)} (got {list(found[name]) if name in found else 'nothing'})"
                for name, shape in shapes.items()
                if name not in found or not _fits(found[name], shape)
            ]
            if wrong:
                raise damaged(path, "; ".join(wrong))
            return {name: file.get_tensor(name) for name in shapes if name != except_for}
    except (SafetensorError, OSError) as error:
        raise damaged(path, str(error)) from None


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(w in (None, f) for f, w in zip(found, wanted, strict=True))


def damaged(path: Path, cause: str) -> InputError:
    """What to raise of a file of a bundle."""
    return InputError(f"the bundle is damaged: {path}: {cause}; import it again")
