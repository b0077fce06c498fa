"""Protocols: what is trained on, what chooses the epoch, what is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ercframe.components import Dataset
from ercframe.data.dialogue import Dialogue
from ercframe.data.dialogues import Joined, Selected, all_labels
from ercframe.errors import InputError
from ercframe.settings import ProtocolSettings
from ercframe.wording import counted


@dataclass(frozen=True)
class Splits:
    """The dialogues of a run.

    Attributes:
        train: what is trained on, and what class weights are counted on.
        dev: what chooses the epoch; empty under ``paper``.
        test: what is reported.
        dev_origin: where dev came from, in words, for tables.
    """

    train: Sequence[Dialogue]
    dev: Sequence[Dialogue]
    test: Sequence[Dialogue]
    dev_origin: str


def divide(dataset: Dataset, settings: ProtocolSettings) -> Splits:
    """Divide a corpus as the protocol says.

    ``heldout`` keeps the corpus's dev split, or carves one from train by whole dialogues; ``paper`` merges dev
    into train, as the publications do.

    Raises:
        InputError: a needed split is empty, or has nothing scored.
    """
    train, dev, test = (dataset.split(name) for name in ("train", "dev", "test"))
    if settings.name == "paper":
        origin = f"no dev ({counted(len(dev), 'dialogue')} merged into train)" if dev else "no dev"
        splits = Splits(Joined(train, dev), [], test, origin)
    elif dev:
        splits = Splits(train, dev, test, "the corpus's own")
    else:
        splits = _carve(train, test, settings)
    _require_scored(splits, settings)
    return splits


def _carve(train: Sequence[Dialogue], test: Sequence[Dialogue], settings: ProtocolSettings) -> Splits:
    """Take a share of the training dialogues as dev: the same ones for every seed, in their order."""
    size = max(1, round(settings.dev_fraction * len(train)))
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(settings.dev_seed)).tolist()
    chosen = set(order[:size])
    kept, dev = ([i for i in range(len(train)) if (i in chosen) == is_dev] for is_dev in (False, True))
    origin = f"carved from train: {size} of {len(train)} dialogues"
    return Splits(Selected(train, kept), Selected(train, dev), test, origin)


def _require_scored(splits: Splits, settings: ProtocolSettings) -> None:
    needed = {"train": splits.train, "test": splits.test}
    if settings.name == "heldout":
        needed["dev"] = splits.dev
    empty = [name for name, dialogues in needed.items() if not any((x >= 0).any() for x in all_labels(dialogues))]
    if empty:
        raise InputError(
            f"protocol '{settings.name}' needs labelled utterances in {', '.join(needed)}; "
            f"there are none in {', '.join(empty)} (dev: {splits.dev_origin})"
        )


def count_classes(dialogues: Sequence[Dialogue], classes: int) -> tuple[int, ...]:
    """Scored utterances of each class."""
    labels = torch.cat(list(all_labels(dialogues)))
    return tuple(torch.bincount(labels[labels >= 0], minlength=classes).tolist())
