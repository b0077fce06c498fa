"""Groups of dialogues, such as recording sessions, in splits that a protocol makes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from ercframe.components import Dataset
from ercframe.data.dialogue import Dialogue
from ercframe.data.dialogues import outlines
from ercframe.data.intake import Intake
from ercframe.errors import Problem, nearest
from ercframe.settings import ProtocolSettings
from ercframe.wording import counted

_SHOWN = 20
"""Names in a message."""
HELP = "docs/data.md says which importers keep the groups of a corpus, and how npz makes them of the dialogues' ids."
"""To be shown where a corpus has none."""
TEST_GROUPS, DEV_GROUPS = "protocol.test_groups", "protocol.dev_groups"


def every_dialogue(dataset: Dataset) -> Iterator[Dialogue]:
    """All dialogues of a corpus without their features: those of train, then of dev, then of test."""
    return chain.from_iterable(outlines(dataset.split(name)) for name in ("train", "dev", "test"))


def in_order(names: Sequence[str]) -> list[str]:
    """The distinct names, with numbers in them by size: ``Ses2`` before ``Ses10``."""

    def key(name: str) -> tuple[list[str | int], str]:
        return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))], name

    return sorted(set(names), key=key)


def ungrouped(dialogues: Sequence[Dialogue]) -> str:
    """Why a corpus cannot be divided by groups: dialogues lack one; empty where all have one."""
    without = [dialogue.id for dialogue in dialogues if not dialogue.group]
    if not without:
        return ""
    got = "none has" if len(without) == len(dialogues) else f"{len(without):,} lack it, such as {without[0]}"
    return f"needs a group, such as a recording session, for each of the {counted(len(dialogues), 'dialogue')} ({got})"


def group_problems(dialogues: Sequence[Dialogue], settings: ProtocolSettings) -> Iterator[Problem]:
    """What keeps a corpus from being divided by the groups that a protocol names."""
    if lacking := ungrouped(dialogues):
        yield Problem("", TEST_GROUPS, lacking)
        return
    known = in_order([dialogue.group for dialogue in dialogues])
    test, dev = settings.test_groups or (), settings.dev_groups or ()
    for key, named in ((TEST_GROUPS, test), (DEV_GROUPS, dev)):
        if unknown := [name for name in named if name not in known]:
            near = next((hint for name in unknown if (hint := nearest(name, known))), "")
            yield Problem("", key, f"must name groups of the corpus, {listed(known)} (got {listed(unknown)}){near}")
    if set(known) <= {*test, *dev}:
        which = "test and dev have" if dev else "test has"
        yield Problem("", TEST_GROUPS, f"must leave a group to train on ({which} all {len(known)} of the corpus)")


def learnt_from_test(intake: Intake | None, test: int, of_train: int) -> Iterator[str]:
    """Warn of extractors that learnt from dialogues which are test now.

    Args:
        intake: of the dataset.
        test: how many dialogues are test.
        of_train: how many of these are in the corpus's own train.
    """
    for name, found in (intake.modalities if intake else {}).items():
        if found.modality.fitted and of_train:
            yield (
                f"{name}: {found.modality.extractor} learnt from the corpus's own train, which has {of_train} of the "
                f"{counted(test, 'test dialogue')}"
            )


def known_speakers(intake: Intake | None, train: Sequence[Dialogue], test: Sequence[Dialogue]) -> Iterator[str]:
    """Warn of people who speak in test and in what is trained on or chosen by; names of mere sides are nobody's."""
    if intake is None or intake.speakers.are == "sides":
        return
    heard, tested = _speakers(train), _speakers(test)
    if known := in_order([name for name in tested if name in heard]):
        yield (
            f"speakers: {len(known):,} of {counted(len(tested), 'speaker')} of test speak in train or dev, too, so the "
            f"split is not speaker-independent: {listed(known, 5)}"
        )


def _speakers(dialogues: Sequence[Dialogue]) -> set[str]:
    return {u.speaker for dialogue in outlines(dialogues) for u in dialogue.utterances if u.speaker}


def listed(names: Sequence[str], most: int = _SHOWN) -> str:
    """Names one after the other; of very many the first."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
