"""Checks of datasets: what they say of themselves, and what they hand out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ercframe.components import ComponentConfig, Dataset
from ercframe.data.dialogue import Dialogue, collate
from ercframe.specs import DatasetInfo
from ercframe.testing.verdicts import require, require_finite, require_untouched, tensors_of

# Shape letters: L utterances of one dialogue, D features.

SPLITS = ("train", "dev", "test")


class DatasetTrial:
    """A dataset asked for some modalities."""

    def __init__(self, component: type[Dataset], config: ComponentConfig, modalities: Sequence[str]) -> None:
        self.component, self.config, self.modalities = component, config, tuple(modalities)

    def build(self, modalities: Sequence[str] | None = None) -> Any:
        """The dataset, with these modalities instead where given."""
        constructor: Any = self.component
        return constructor(self.config, tuple(modalities or self.modalities))


def info_fits_the_splits(trial: DatasetTrial) -> None:
    """``info`` must name the modalities asked for, in their order, and count the dialogues of every split.

    The model is built from ``info`` alone.
    """
    dataset = trial.build()
    info: DatasetInfo = dataset.info
    require(
        tuple(info.modalities) == trial.modalities, _got("info.modalities", trial.modalities, tuple(info.modalities))
    )
    require(
        len(set(info.labels)) == len(info.labels) > 1, f"info.labels must be at least two names (got {info.labels})"
    )
    found = {name: len(dataset.split(name)) for name in SPLITS}
    promised = {name: info.splits.get(name, 0) for name in SPLITS}
    require(found == promised, _got("the number of dialogues per split", promised, found))
    require(found["train"] > 0, "split 'train' must have a dialogue")


def modalities_follow_the_recipe(trial: DatasetTrial) -> None:
    """Modalities in another order, or fewer, must be handed out as asked for, with the same features.

    Otherwise a comparison of modalities compares different data.
    """
    full = trial.build()
    for modalities in (trial.modalities[::-1], trial.modalities[:1]):
        dataset = trial.build(modalities)
        names = tuple(dataset.info.modalities)
        require(names == modalities, _got("info.modalities", modalities, names))
        dialogue, same = dataset.split("train")[0], full.split("train")[0]
        require(tuple(dialogue.features) == modalities, _got("features", modalities, tuple(dialogue.features)))
        for m in modalities:
            same_values = torch.equal(dialogue.features[m], same.features[m])
            require(same_values, f"features of '{m}' must not depend on the other modalities asked for")


def dialogues_are_well_formed(trial: DatasetTrial) -> None:
    """Every dialogue must have tensors of the promised widths, dtypes and ranges, one row per utterance.

    No part looks at them again: a label that is out of range ends as an index into somebody else's row.
    """
    dataset = trial.build()
    for split, dialogue in _dialogues(dataset):
        where = f"{split}, dialogue '{dialogue.id}'"
        _require_features(where, dialogue, dataset.info)
        _require_integers(where, "labels", dialogue.labels, -1, len(dataset.info.labels) - 1, len(dialogue))
        _require_integers(where, "speaker", dialogue.speaker, 0, dataset.info.speakers, len(dialogue))
        records = len(dialogue.utterances)
        require(records == len(dialogue), f"{where}: there must be {len(dialogue)} utterance records (got {records})")
        for name, target in dialogue.targets.items():
            shape = tuple(target.shape)
            require(
                len(shape) == 2 and shape[0] == len(dialogue), f"{where}: target '{name}' must be (L, K) (got {shape})"
            )


def ids_are_unique(trial: DatasetTrial) -> None:
    """Dialogue ids must be unique in the dataset, and utterance ids in their dialogue.

    Predictions are joined by them; a dialogue in two splits is a leak.
    """
    seen: dict[str, str] = {}
    for split, dialogue in _dialogues(trial.build()):
        require(
            dialogue.id not in seen,
            f"dialogue '{dialogue.id}' must be in one split (got {seen.get(dialogue.id)} and {split})",
        )
        seen[dialogue.id] = split
        ids = [utterance.id for utterance in dialogue.utterances]
        require(len(set(ids)) == len(ids), f"utterance ids of dialogue '{dialogue.id}' must differ (got {ids})")


def batches_can_be_made(trial: DatasetTrial) -> None:
    """Dialogues of a split must go together into a batch; a split that the corpus does not have is empty.

    The protocol asks for every split, and carves a dev split where the corpus answers with none.
    """
    dataset = trial.build()
    batch = collate([dataset.split("train")[i] for i in range(min(3, len(dataset.split("train"))))])
    require(len(batch.scored) > 0, "the first dialogues of split 'train' must have a scored utterance")
    require(len(dataset.split("no such split")) == 0, "a split that the corpus does not have must be empty")


def reading_repeats(trial: DatasetTrial) -> None:
    """Reading again, in the same dataset and in one built anew, must give the same, whatever the random state.

    A run is repeated from its recipe and its seed, and the seed is not the data's.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = trial.build()
        torch.manual_seed(2)
        second = trial.build()
    expected = [dict(tensors_of(dialogue)) for _, dialogue in _dialogues(first)]
    for dataset in (first, second):
        got = [dialogue for _, dialogue in _dialogues(dataset)]
        require(len(got) == len(expected), _got("the number of dialogues", len(expected), len(got)))
        for before, dialogue in zip(expected, got, strict=True):
            require_untouched(f"dialogue '{dialogue.id}'", before, dialogue)


def order_of_reading_is_free(trial: DatasetTrial) -> None:
    """A dialogue must be the same whether it is read first or last, once or twice.

    The sampler asks for them in another order in every epoch.
    """
    forward, other = trial.build(), trial.build()
    for split in SPLITS:
        before, after = forward.split(split), other.split(split)
        expected = [dict(tensors_of(before[i])) for i in range(len(before))]
        for i in reversed(range(len(after))):
            after[i]
            require_untouched(f"{split}, dialogue {i}, read in another order", expected[i], after[i])


def _dialogues(dataset: Dataset) -> Iterator[tuple[str, Dialogue]]:
    for split in SPLITS:
        dialogues = dataset.split(split)
        for index in range(len(dialogues)):
            yield split, dialogues[index]


def _require_features(where: str, dialogue: Dialogue, info: DatasetInfo) -> None:
    for m, width in info.modalities.items():
        x_LD, has_L = dialogue.features[m], dialogue.available[m]
        shape = (len(dialogue), width)
        require(tuple(x_LD.shape) == shape, f"{where}: features of '{m}' must be {shape} (got {tuple(x_LD.shape)})")
        require(x_LD.dtype == torch.float32, f"{where}: features of '{m}' must be float32 (got {x_LD.dtype})")
        require_finite(f"{where}: features", {m: x_LD})
        kind = (tuple(has_L.shape), has_L.dtype)
        require(kind == (shape[:1], torch.bool), f"{where}: available['{m}'] must be {shape[:1]} bool (got {kind})")
        require(not bool(x_LD[~has_L].any()), f"{where}: features of '{m}' must be zeros where not available")


def _require_integers(where: str, name: str, x: torch.Tensor, low: int, high: int, rows: int) -> None:
    require(tuple(x.shape) == (rows,), f"{where}: {name} must be ({rows},) (got {tuple(x.shape)})")
    require(x.dtype == torch.int64, f"{where}: {name} must be int64 (got {x.dtype})")
    inside = bool(((x >= low) & (x <= high)).all())
    require(inside, f"{where}: {name} must be from {low} to {high} (got {int(x.min())} to {int(x.max())})")


def _got(what: str, must: object, got: object) -> str:
    return f"{what} must be {must} (got {got})"
