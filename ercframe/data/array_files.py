"""Arrays in safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ercframe.files import write_atomically


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: dict[str, str] | None = None) -> None:
    """Write safetensors atomically, readable by whom the user's umask lets; safetensors lets nobody else.

    Raises:
        OSError: the file cannot be written; safetensors itself has an error of its own for that.
    """
    held = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        write_atomically(path, lambda temporary: save_file(held, temporary, metadata=metadata))
    except SafetensorError as error:
        raise OSError(f"{path}: {error}") from error
