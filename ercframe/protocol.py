"""Protocols: what is trained on, what chooses the epoch, what is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ercframe.components import Dataset
from ercframe.data.dialogue import Dialogue
from ercframe.data.dialogues import Joined, Selected, all_labels, outlines
from ercframe.errors import InputError
from ercframe.groups import HELP, group_problems, known_speakers, learnt_from_test, ungrouped
from ercframe.settings import ProtocolSettings
from ercframe.wording import counted

OWN = "the corpus's own"
"""Where a split came from that the corpus has itself."""


@dataclass(frozen=True)
class Splits:
    """The dialogues of a run.

    Attributes:
        train: what is trained on, and what class weights are counted on.
        dev: what chooses the epoch; empty under ``paper``.
        test: what is reported.
        dev_origin: where dev came from, in words, for tables.
        test_origin: where test came from.
        warnings: what of this division makes scores on test too high.
    """

    train: Sequence[Dialogue]
    dev: Sequence[Dialogue]
    test: Sequence[Dialogue]
    dev_origin: str
    test_origin: str = OWN
    warnings: tuple[str, ...] = ()


def divide(dataset: Dataset, settings: ProtocolSettings) -> Splits:
    """Divide a corpus as the protocol says.

    ``heldout`` keeps the corpus's dev split, or carves one from train by whole dialogues; ``paper`` merges dev
    into train, as the publications do. With ``test_groups`` the corpus's own splits do not count.

    Raises:
        InputError: a group is not there, or a needed split is empty, or has nothing scored.
    """
    train, dev, test = (dataset.split(name) for name in ("train", "dev", "test"))
    if settings.test_groups:
        splits = _by_groups(dataset, Joined(Joined(train, dev), test), len(train), settings)
    elif settings.name == "paper":
        origin = f"no dev ({counted(len(dev), 'dialogue')} merged into train)" if dev else "no dev"
        splits = Splits(Joined(train, dev), [], test, origin)
    elif dev:
        splits = Splits(train, dev, test, OWN)
    else:
        splits = _carve(train, test, settings)
    _require_scored(splits, settings)
    return splits


def _by_groups(dataset: Dataset, dialogues: Sequence[Dialogue], own_train: int, settings: ProtocolSettings) -> Splits:
    """Test is the groups that the protocol names; the first ``own_train`` dialogues are the corpus's own train."""
    heads = list(outlines(dialogues))
    if problems := list(group_problems(heads, settings)):
        help = HELP if ungrouped(heads) else ""
        raise InputError(f"{dataset.info.name} cannot be divided by these groups", problems, help)
    test_groups, dev_groups = settings.test_groups or (), settings.dev_groups or ()
    tested, chosen = ([i for i, d in enumerate(heads) if d.group in named] for named in (test_groups, dev_groups))
    left = {*range(len(heads))} - {*tested, *chosen}
    train, dev, test = (Selected(dialogues, rows) for rows in (sorted(left), chosen, tested))
    if settings.name == "paper":
        splits = Splits(train, [], test, "no dev")
    elif dev:
        splits = Splits(train, dev, test, in_words(dev_groups))
    else:
        splits = _carve(train, test, settings)
    intake = dataset.intake()
    warnings = (
        *known_speakers(intake, Joined(train, dev), test),
        *learnt_from_test(intake, len(test), sum(i < own_train for i in tested)),
    )
    return replace(splits, test_origin=in_words(test_groups), warnings=warnings)


def described(test_origin: str, dev_origin: str) -> str:
    """Where test and dev came from, for tables; of the corpus's own test nothing is said."""
    return "; ".join([*([f"test: {test_origin}"] if test_origin != OWN else []), f"dev: {dev_origin}"])


def in_words(groups: Sequence[str]) -> str:
    """``"group Ses05"``, or ``"groups Ses01, Ses02"``."""
    return f"{'group' if len(groups) == 1 else 'groups'} {', '.join(groups)}"


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
            f"there are none in {', '.join(empty)} ({described(splits.test_origin, splits.dev_origin)})"
        )


def count_classes(dialogues: Sequence[Dialogue], classes: int) -> tuple[int, ...]:
    """Scored utterances of each class."""
    labels = torch.cat(list(all_labels(dialogues)))
    return tuple(torch.bincount(labels[labels >= 0], minlength=classes).tolist())
