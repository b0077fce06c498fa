"""Reading a golden file: tensors that the released code of SDT computed, and under which settings."""

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ercframe import Batch, Dialogue, collate

# Shape letters: B dialogues, L longest dialogue, N utterances, D features, C emotions.

MODALITIES = ("text", "audio", "visual")
NUMBERS = ("temperature", "hidden", "heads", "classes", "speakers", "lr", "weight_decay", "steps", "dropout")
WEIGHTS = ("gamma_task", "gamma_hard", "gamma_soft")
SETTINGS = ("unimodal_gate", "class_weighted", *NUMBERS, *WEIGHTS)


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
        except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, zipfile.BadZipFile) as error:
            raise UnusableFileError(f"must be an .npz archive with JSON in 'meta' ({error})") from error
        _check_settings(meta)
        golden = cls({name: torch.from_numpy(array) for name, array in arrays.items()}, meta)
        golden._check_inputs()
        return golden

    def under(self, folder: str) -> dict[str, Tensor]:
        """Arrays whose name starts with ``folder/``, without that."""
        return {name.removeprefix(f"{folder}/"): x for name, x in self.arrays.items() if name.startswith(f"{folder}/")}

    def require(self, names: Iterable[str]) -> None:
        """Raise :class:`UnusableFileError` if an array is missing."""
        missing = [name for name in names if name not in self.arrays]
        if missing:
            raise UnusableFileError(f"must hold {', '.join(missing)}")

    def rows(self, name: str) -> Tensor:
        """The real utterances of a padded array ``(B, L, *)``, dialogue after dialogue, ``(N, *)``."""
        mask_BL = self.arrays["input/mask"] == 1
        self.require([name])
        if self.arrays[name].shape[:2] != mask_BL.shape:
            raise UnusableFileError(f"{name} must begin with the axes of input/mask, {tuple(mask_BL.shape)}")
        return self.arrays[name][mask_BL]

    def dialogues(self) -> list[Dialogue]:
        """The inputs as the project's own dialogues."""
        lengths = (self.arrays["input/mask"] == 1).sum(1).tolist()
        return [self._dialogue(b, length) for b, length in enumerate(lengths)]

    def batch(self, dialogues: Sequence[Dialogue] = ()) -> Batch:
        """All of the dialogues, or those given, as a batch."""
        return collate(dialogues or self.dialogues())

    def _dialogue(self, b: int, length: int) -> Dialogue:
        x = {name: array[b, :length] for name, array in self.under("input").items()}
        return Dialogue(
            id=str(b),
            features={m: x[m] for m in MODALITIES},
            available={m: torch.ones(length, dtype=torch.bool) for m in MODALITIES},
            speaker=x["speaker"].long(),
            labels=x["label"].long(),
            utterances=(),
        )

    def _check_inputs(self) -> None:
        inputs = [f"input/{name}" for name in (*MODALITIES, "speaker", "label", "mask")]
        self.require([*inputs, *(["class_weight"] if self.meta["class_weighted"] else [])])
        narrow = [name for name, x in self.arrays.items() if x.is_floating_point() and x.dtype != torch.float64]
        if narrow:
            raise UnusableFileError(f"arrays must be float64 (got {self.arrays[narrow[0]].dtype} in {narrow[0]})")
        mask_BL = self.arrays["input/mask"]
        if mask_BL.dim() != 2 or not _all_begin_with_ones(mask_BL):
            raise UnusableFileError("each row of input/mask must be some 1, then 0")
        for name in inputs:
            self.rows(name)
        self._check_ids("input/speaker", "speakers")
        self._check_ids("input/label", "classes")

    def _check_ids(self, name: str, bound: str) -> None:
        low, high = (int(x) for x in self.rows(name).aminmax())
        if low < 0 or high >= self.meta[bound]:
            raise UnusableFileError(f"{name} must be from 0 to below meta.{bound} (got {low} to {high})")


def _check_settings(meta: object) -> None:
    missing = [name for name in SETTINGS if not isinstance(meta, dict) or name not in meta]
    if missing:
        raise UnusableFileError(f"meta must have {', '.join(missing)}")
    words = [name for name in (*NUMBERS, *WEIGHTS) if not isinstance(meta[name], int | float)]
    if words:
        raise UnusableFileError(f"meta.{words[0]} must be a number (got {meta[words[0]]!r})")
    if meta["dropout"] != 0:
        raise UnusableFileError(f"meta.dropout must be 0, since random draws differ (got {meta['dropout']})")
    if meta["steps"] < 1:
        raise UnusableFileError(f"meta.steps must be at least 1 (got {meta['steps']})")


def _all_begin_with_ones(mask_BL: Tensor) -> bool:
    lengths_B = (mask_BL == 1).sum(1)
    packed_BL = torch.arange(mask_BL.shape[1]) < lengths_B[:, None]
    return bool(len(lengths_B) and (lengths_B > 0).all() and (mask_BL == packed_BL).all())
