"""The arrays of ``index.safetensors``: everything of the dialogues that is no text and no feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.data.records import SPLITS, UNSCORED, DialogueRecord, Split
from ercframe.data.speakers import numbered

# Shape letters: B dialogues, N utterances of the bundle, K values of a target.

Arrays = dict[str, NDArray[Any]]
TARGET = "target."
"""Prefix of the arrays that hold further targets."""


def build_index(dialogues: Sequence[DialogueRecord], lines_B: NDArray[np.int64]) -> tuple[Arrays, list[str]]:
    """The arrays, and the distinct speaker names in order of first appearance.

    Args:
        dialogues: B dialogues with N utterances.
        lines_B: where each line of ``dialogues.jsonl`` starts and the last ends, ``(B + 1,)``.
    """
    utterances = [u for dialogue in dialogues for u in dialogue.utterances]
    ids = [dialogue.id.encode("utf-8") for dialogue in dialogues]
    speaker, names = numbered(u.speaker for u in utterances)
    index: Arrays = {
        "offsets": np.cumsum([0, *(len(dialogue.utterances) for dialogue in dialogues)], dtype=np.int64),
        "lines": lines_B,
        "ids": np.frombuffer(b"".join(ids), dtype=np.uint8),
        "id_offsets": np.cumsum([0, *map(len, ids)], dtype=np.int64),
        "split": np.array([SPLITS.index(dialogue.split) for dialogue in dialogues], dtype=np.uint8),
        "label": np.array([u.label for u in utterances], dtype=np.int16),
        "speaker": np.array(speaker, dtype=np.int32),
        "start": np.array([np.nan if u.start is None else u.start for u in utterances], dtype=np.float64),
        "end": np.array([np.nan if u.end is None else u.end for u in utterances], dtype=np.float64),
    }
    groups, _ = numbered(dialogue.group for dialogue in dialogues)
    if max(groups) >= 0:
        index["group"] = np.array(groups, dtype=np.int32)
    for target in utterances[0].targets:
        index[TARGET + target] = np.array([u.targets[target] for u in utterances], dtype=np.float32)
    return index, names


def index_shapes(
    dialogues: int, utterances: int, targets: Mapping[str, int], groups: bool
) -> dict[str, tuple[int | None, ...]]:
    """The shape that each array must have; None for any length.

    Args:
        dialogues: number of dialogues.
        utterances: number of utterances.
        targets: width of each further target.
        groups: whether dialogues have groups.
    """
    return {
        **({"group": (dialogues,)} if groups else {}),
        **dict.fromkeys(("offsets", "lines", "id_offsets"), (dialogues + 1,)),
        "ids": (None,),
        "split": (dialogues,),
        **dict.fromkeys(("label", "speaker", "start", "end"), (utterances,)),
        **{TARGET + name: (utterances, width) for name, width in targets.items()},
    }


def split_rows(index: Mapping[str, NDArray[Any]], split: Split) -> NDArray[np.intp]:
    """Rows of the utterances of a split."""
    wanted_B = index["split"] == SPLITS.index(split)
    return np.flatnonzero(np.repeat(wanted_B, np.diff(index["offsets"])))


def split_sizes(index: Mapping[str, NDArray[Any]]) -> dict[Split, tuple[int, int, int]]:
    """Number of dialogues, utterances and scored utterances of every split that has any."""
    sizes: dict[Split, tuple[int, int, int]] = {}
    for i, split in enumerate(SPLITS):
        labels = index["label"][split_rows(index, split)]
        if labels.size:
            sizes[split] = (int((index["split"] == i).sum()), len(labels), int((labels > UNSCORED).sum()))
    return sizes
