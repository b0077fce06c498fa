"""Which turns of a bundle an extractor can work on, before any work is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ercframe.components import Extractor
from ercframe.data.reader import Bundle
from ercframe.data.views import UtteranceView, views_of
from ercframe.errors import InputError
from ercframe.extraction.blocks import Block, Missing, blocks
from ercframe.wording import counted

NO_FILE = "no such file"


@dataclass(frozen=True)
class Survey:
    """What there is to extract.

    Attributes:
        extractor: what is to be run.
        bundle: the bundle.
        media: the folder of its files; None where the extractor needs none.
        missing: rows that have no features whatever the extractor does, each with the reason.
    """

    extractor: Extractor
    bundle: Bundle
    media: Path | None
    missing: dict[int, Missing]

    @property
    def count(self) -> int:
        """Number of turns to extract."""
        return self.bundle.manifest.utterances - len(self.missing)

    @property
    def decisive(self) -> list[int]:
        """The rows without which a modality is of no use: those of train; all, where there is no train."""
        return self.bundle.utterance_rows("train").tolist() or list(range(self.bundle.manifest.utterances))

    def blocks(self) -> Iterator[Block]:
        """These turns, in the order of the bundle, in blocks."""
        turns = ((row, turn) for row, turn in all_turns(self.bundle, self.media) if row not in self.missing)
        return blocks(turns, self.extractor.batch_size)

    def training_turns(self) -> Iterator[UtteranceView]:
        """Those of the training split."""
        training = set(self.bundle.utterance_rows("train").tolist()) - self.missing.keys()
        return (turn for row, turn in all_turns(self.bundle, self.media) if row in training)


def all_turns(bundle: Bundle, media: Path | None) -> Iterator[tuple[int, UtteranceView]]:
    """Every turn of a bundle with its row."""
    turns = (turn for record in bundle.records() for turn in views_of(record, media))
    return enumerate(turns)


def missing_input(extractor: Extractor, turn: UtteranceView) -> Missing | None:
    """What a turn lacks that the extractor needs; a file that is named but not there is a fault."""
    if lack := turn.lacks(extractor.needs):
        return Missing(lack, False)
    return None if all(path.is_file() for path in _files(extractor, turn)) else Missing(NO_FILE, True)


def survey(extractor: Extractor, bundle: Bundle, media: Path | None) -> Survey:
    """Look at every turn, and whether its files are there.

    Raises:
        InputError: no turn that the features are judged by has what the extractor needs.
    """
    bundle.require_sound_index()
    missing = {row: why for row, turn in all_turns(bundle, media) if (why := missing_input(extractor, turn))}
    found = Survey(extractor, bundle, media, missing)
    if found.missing.keys() >= set(found.decisive):
        raise InputError(_nothing(found))
    return found


def _files(extractor: Extractor, turn: UtteranceView) -> Iterator[Path]:
    for need in extractor.needs:
        if (need == "audio" or need == "video") and (path := turn.file(need)):
            yield path


def _nothing(found: Survey) -> str:
    """Why an extractor has nothing to work on, with a file as an example where files are not found."""
    what = f"extractor '{found.extractor.name}' needs {' and '.join(found.extractor.needs)}"
    whose = "training utterance" if found.bundle.utterance_rows("train").size else "utterance"
    text = f"{what}, which none of {counted(len(found.decisive), whose)} of {found.bundle.path} has"
    for row, turn in all_turns(found.bundle, found.media):
        if row in found.missing and found.missing[row].reason == NO_FILE:
            path = next(path for path in _files(found.extractor, turn) if not path.is_file())
            return f"{text}: there is no file {path}; --media must be the folder that the bundle's paths start from"
    return text
