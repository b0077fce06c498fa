"""What an extractor learnt from the training turns, as a file without pickles."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ercframe.errors import InputError
from ercframe.tensor_files import save_arrays

_WORDS = "json"


@dataclass(frozen=True)
class Fitted:
    """What an extractor learnt.

    Attributes:
        arrays: numbers, by name.
        words: anything else that JSON can hold, such as a vocabulary.
    """

    arrays: dict[str, NDArray[Any]]
    words: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the arrays as safetensors, with the words as JSON in its header."""
        save_arrays(path, self.arrays, {_WORDS: json.dumps(self.words, ensure_ascii=False)})

    @classmethod
    def open(cls, path: Path) -> Fitted:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            with safe_open(path, framework="np") as file:
                words = json.loads((file.metadata() or {})[_WORDS])
                return cls({name: file.get_tensor(name) for name in file.keys()}, words)  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}; extract the modality again") from None
