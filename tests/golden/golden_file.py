"""Reading a golden file: tensors that the released code of SDT computed, and under which settings."""

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ercframe import Batch, Dialogue, collate

# Shape letters: B dialogues, L longest dialogue, N utterances, D features, C emotions.

MODALITIES = ("text", "audio", "visual")
SETTINGS = (
    "unimodal_gate class_weighted temperature hidden heads classes speakers lr weight_decay steps dropout "
    "gamma_task gamma_hard gamma_soft"
).split()


class UnusableFileError(Exception):
    """A file cannot be compared; says why."""


@dataclass(frozen=True)
class Golden:
    """The arrays of a golden file by name, as tensors, and its settings."""

    arrays: Mapping[str, Tensor]
    meta: Mapping[str, object]

    @classmethod
    def read(cls, path: Path) -> "Golden":
        """Read and check a file.

        Raises:
            UnusableFileError: it is no golden file of SDT, or a damaged one.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            meta = json.loads(bytes(arrays.pop("meta")))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, zipfile.BadZipFile) as error:
            raise UnusableFileError(f"must be an .npz archive with JSON in 'meta' ({error})") from error
        golden = cls({name: torch.from_numpy(array) for name, array in arrays.items()}, meta)
        golden._check()
        return golden

    def under(self, folder: str) -> dict[str, Tensor]:
        """Arrays whose name starts with ``folder/``, without that."""
        return {name.removeprefix(f"{folder}/"): x for name, x in self.arrays.items() if name.startswith(f"{folder}/")}

    def require(self, names: Iterable[str]) -> None:
        """Raise :class:`UnusableFileError` if an array is missing."""
        missing = [name for name in names if name not in self.arrays]
        if missing:
            raise UnusableFileError(f"must hold {', '.join(missing)}")

    def rows(self, x_BL: Tensor) -> Tensor:
        """The real utterances of a padded array ``(B, L, *)``, dialogue after dialogue, ``(N, *)``."""
        return x_BL[self.arrays["input/mask"] == 1]

    def batch(self) -> Batch:
        """The inputs as the project's own batch."""
        lengths = [int(n) for n in self.arrays["input/mask"].sum(1)]
        return collate([self._dialogue(b, length) for b, length in enumerate(lengths)])

    def _dialogue(self, b: int, length: int) -> Dialogue:
        x = {name: array[b, :length] for name, array in self.under("input").items()}
        return Dialogue(
            id=str(b),
            features={m: x[m] for m in MODALITIES},
            available={m: torch.ones(length, dtype=torch.bool) for m in MODALITIES},
            speaker=x["speaker"],
            labels=x["label"],
            utterances=(),
        )

    def _check(self) -> None:
        missing = [name for name in SETTINGS if name not in self.meta]
        if missing:
            raise UnusableFileError(f"meta must have {', '.join(missing)}")
        if self.meta["dropout"] != 0:
            raise UnusableFileError(f"meta.dropout must be 0, since draws differ (got {self.meta['dropout']})")
        inputs = [f"input/{name}" for name in (*MODALITIES, "speaker", "label", "mask")]
        self.require([*inputs, *(["class_weight"] if self.meta["class_weighted"] else [])])
        mask_BL = self.arrays["input/mask"]
        if mask_BL.dim() != 2 or any(self.arrays[name].shape[:2] != mask_BL.shape for name in inputs):
            raise UnusableFileError("all inputs must share their first two axes, dialogues and utterances")
        lengths_B = mask_BL.sum(1)
        if (mask_BL != (torch.arange(mask_BL.shape[1]) < lengths_B[:, None])).any() or (lengths_B < 1).any():
            raise UnusableFileError("each row of input/mask must be some 1, then 0")
        self._check_ids("input/speaker", "speakers")
        self._check_ids("input/label", "classes")

    def _check_ids(self, name: str, bound: str) -> None:
        ids_N = self.rows(self.arrays[name])
        if ids_N.min() < 0 or ids_N.max() >= self.meta[bound]:
            raise UnusableFileError(f"{name} must be from 0 to below meta.{bound} (got {ids_N.min()} to {ids_N.max()})")
