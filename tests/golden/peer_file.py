"""Reading a golden file of a peer: tensors that the released code of bc-LSTM, DialogueRNN or MMGCN computed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ercframe import Batch, DatasetInfo, Dialogue, Layout, collate

# Shape letters: B dialogues, L longest dialogue, N utterances, D features.


@dataclass(frozen=True)
class PeerFile:
    """The arrays of a file by name, and its settings.

    Attributes:
        arrays: values by name.
        meta: sizes and switches.
        modalities: name of each modality's input.
        time_first: whether inputs are ``(L, B, *)`` in the file.
    """

    arrays: Mapping[str, Tensor]
    meta: Mapping[str, object]
    modalities: Mapping[str, str]
    time_first: bool

    @classmethod
    def read(cls, path: Path) -> "PeerFile":
        """Read a file of bc-LSTM, DialogueRNN or MMGCN; only the last has more than one modality."""
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: torch.from_numpy(archive[name]) for name in archive.files}
        meta = json.loads(bytes(arrays.pop("meta").tolist()))
        if "input/text" in arrays:
            return cls(arrays, meta, {m: m for m in ("audio", "visual", "text")}, time_first=True)
        return cls(arrays, meta, {"text": "features"}, time_first=False)

    def __getitem__(self, name: str) -> Tensor:
        return self.arrays[name]

    def under(self, folder: str) -> dict[str, Tensor]:
        """Arrays whose name starts with ``folder/``, without that."""
        return {name.removeprefix(f"{folder}/"): x for name, x in self.arrays.items() if name.startswith(f"{folder}/")}

    def padded(self, name: str) -> Tensor:
        """An input, ``(B, L, *)``."""
        x = self.arrays[f"input/{name}"]
        return x.transpose(0, 1) if self.time_first else x

    @cached_property
    def layout(self) -> Layout:
        """Where the real utterances are."""
        return Layout.from_lengths(self.meta["lengths"])

    def rows(self, x_BL: Tensor) -> Tensor:
        """The real utterances of a padded array."""
        return x_BL[self.layout.mask]

    @cached_property
    def features(self) -> dict[str, Tensor]:
        """Padded features of each modality, in the order of the released graph."""
        return {m: self.padded(name) for m, name in self.modalities.items()}

    @cached_property
    def batch(self) -> Batch:
        """The inputs as the project's own batch."""
        speaker_BL = self.padded("qmask").argmax(-1) if "input/qmask" in self.arrays else self.layout.mask.long()
        labels_N = self["input/label"]
        labels_N = labels_N if labels_N.dim() == 1 else self.rows(labels_N)
        labels = labels_N.split(self.layout.sizes)
        return collate([self.dialogue(b, n, speaker_BL, labels[b]) for b, n in enumerate(self.layout.sizes)])

    def dialogue(self, b: int, length: int, speaker_BL: Tensor, labels: Tensor) -> Dialogue:
        """Dialogue ``b`` without its padding."""
        return Dialogue(
            id=str(b),
            features={m: x_BLD[b, :length] for m, x_BLD in self.features.items()},
            available={m: torch.ones(length, dtype=torch.bool) for m in self.features},
            speaker=speaker_BL[b, :length],
            labels=labels,
            utterances=(),
        )

    @property
    def class_weights(self) -> tuple[float, ...] | None:
        """Weight of each emotion in the loss, where there are such."""
        weights = self.arrays.get("class_weight", self.arrays.get("input/class_weight"))
        return None if weights is None else tuple(weights.tolist())

    @property
    def info(self) -> DatasetInfo:
        """The corpus that a model is built for."""
        return DatasetInfo(
            name="golden",
            labels=tuple(f"emotion {i}" for i in range(self.meta["classes"])),
            modalities={m: x.shape[-1] for m, x in self.features.items()},
            speakers=self.meta.get("speakers", 2),
        )
