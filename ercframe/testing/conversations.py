"""Small made-up conversations with everything that is awkward in real ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from ercframe.data.dialogue import Dialogue, Utterance, collate
from ercframe.specs import DatasetInfo
from ercframe.tensors import Batch

# Shape letters: L utterances of one dialogue, N utterances in the batch, D features.

WIDTHS = {"text": 5, "audio": 4, "visual": 3}
EMOTIONS = ("happy", "sad", "neutral", "angry")
LENGTHS = (4, 1, 6, 3)
SPEAKERS = 3
LAST, UNKNOWN = -2, -1
SPEAKER_CYCLE = (0, 1, 1, LAST, 0, UNKNOWN)  # somebody speaks twice in a row, and one speaker is unknown


def example_dataset(modalities: int | Mapping[str, int] = 3) -> DatasetInfo:
    """A corpus with four emotions and three speakers.

    Args:
        modalities: their widths by name, or how many of text, audio and visual.
    """
    widths = dict(list(WIDTHS.items())[:modalities]) if isinstance(modalities, int) else dict(modalities)
    return DatasetInfo(
        name="example",
        labels=EMOTIONS,
        modalities=widths,
        speakers=SPEAKERS,
        splits={"train": 8, "dev": 4, "test": 4},
        class_counts=(40, 30, 20, 10),
    )


def example_dialogues(
    dataset: DatasetInfo,
    lengths: Sequence[int] = LENGTHS,
    *,
    lacking: Collection[str] = (),
    holes: bool = True,
    unscored: bool = True,
    seed: int = 0,
) -> list[Dialogue]:
    """Dialogues of these lengths, for a component under test.

    Args:
        dataset: whose modalities, emotions and speakers to use.
        lengths: utterances of each dialogue.
        lacking: modalities that no utterance has.
        holes: let some utterances lack a modality, and one of them all.
        unscored: give some utterances the label -1.
        seed: of the features, which are otherwise standard normal.
    """
    generator = torch.Generator().manual_seed(seed)
    first, found = 0, []
    for number, length in enumerate(lengths):
        turns = range(first, first + length)
        lacks = {m: [_lacks(t, i, dataset, lacking, holes) for t in turns] for i, m in enumerate(dataset.modalities)}
        available = {m: ~torch.tensor(rows) for m, rows in lacks.items()}
        features = {
            m: torch.randn(length, width, generator=generator).masked_fill(~available[m][:, None], 0)
            for m, width in dataset.modalities.items()
        }
        speaker_L = torch.tensor([_speaker(t, dataset.speakers) for t in turns])
        labels_L = torch.tensor([-1 if unscored and t % 5 == 3 else t % len(dataset.labels) for t in turns])
        utterances = tuple(Utterance(f"{number}-{i}", f"speaker {s}") for i, s in enumerate(speaker_L.tolist()))
        found.append(Dialogue(f"dialogue {number}", features, available, speaker_L, labels_L, utterances))
        first += length
    return found


def example_batch(
    dataset: DatasetInfo,
    lengths: Sequence[int] = LENGTHS,
    *,
    lacking: Collection[str] = (),
    holes: bool = True,
    unscored: bool = True,
    seed: int = 0,
) -> Batch:
    """The dialogues of :func:`example_dialogues` as a batch."""
    return collate(example_dialogues(dataset, lengths, lacking=lacking, holes=holes, unscored=unscored, seed=seed))


def _speaker(turn: int, speakers: int) -> int:
    one = SPEAKER_CYCLE[turn % len(SPEAKER_CYCLE)]
    return speakers + 1 + one if one < 0 else min(one, speakers - 1)


def _lacks(turn: int, index: int, dataset: DatasetInfo, lacking: Collection[str], holes: bool) -> bool:
    names = tuple(dataset.modalities)
    one = turn % 5 == 2 and turn // 5 % len(names) == index
    return names[index] in lacking or (holes and (one or turn == 9))


def altered(x: Tensor, rows: Tensor) -> Tensor:
    """``x`` with other finite values in ``rows``, an index or a mask."""
    changed = x.clone()
    changed[rows] = 0.5 - 1.5 * changed[rows]
    return changed
