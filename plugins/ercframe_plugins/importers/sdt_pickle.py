"""The feature files of SDT (Ma et al. 2024), pickled tuples for IEMOCAP and for MELD."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ercframe import (
    ComponentConfig,
    Corpus,
    DialogueRecord,
    FeatureArray,
    Finding,
    Importer,
    Place,
    SourceFile,
    UtteranceRecord,
    counted,
    describe_features,
    describe_turns,
    hookimpl,
)
from ercframe_plugins.importers.meld_annotations import LABELS as MELD_LABELS
from ercframe_plugins.importers.sdt_items import TEXTS, Items, Layout, read_items

_LICENCE = "SDT's repository states no licence for its features."
_TEXT = dict.fromkeys(TEXTS, 1024)


class SdtConfig(ComponentConfig):
    """Settings of both importers."""

    text_vector: int = Field(1, ge=1, le=4, description="Which of the four RoBERTa vectors is the text; SDT has 1.")


class SdtPickle(Importer):
    """What the two files have in common; see the classes below."""

    Config = SdtConfig
    corpus: ClassVar[str]
    licence: ClassVar[str]
    layout: ClassVar[Layout]

    def __init__(self, config: SdtConfig) -> None:
        self.config = config

    def read(self, source: Path) -> Corpus:
        """Read the pickle; nothing in it is run."""
        modalities = {"text": f"text_{self.config.text_vector}", "audio": "audio", "visual": "visual"}
        items = read_items(source, self.layout, modalities)
        dialogues = tuple(_dialogues(items, self.layout.group))
        file = SourceFile.of(source)
        features = {
            modality: FeatureArray(values, {modalities[modality]: values.shape[1]}, source=file)
            for modality, values in items.features.items()
        }
        places = [Place(d.id, u.id) for d in dialogues for u in d.utterances]
        return Corpus(
            name=self.corpus,
            labels=self.layout.labels,
            dialogues=dialogues,
            features=features,
            licence=self.licence,
            speaker_ids="corpus",
            sources=(file,),
            findings=(*_findings(items), *describe_turns(dialogues, "the file"), *describe_features(features, places)),
        )


class SdtIemocap(SdtPickle):
    """SDT's features of IEMOCAP: a pickled tuple of twelve items.

    Every position is checked for its shape, since nothing in the file says what it is. There is no
    dev split; the protocol ``heldout`` carves one from train by dialogue.
    """

    name = "sdt_iemocap"
    corpus = "IEMOCAP"
    licence = f"IEMOCAP: research only, not to be passed on (USC). {_LICENCE}"
    layout = Layout(
        ignored=0,
        labels=("hap", "sad", "neu", "ang", "exc", "fru"),
        widths={**_TEXT, "audio": 1582, "visual": 342},
        sides=("F", "M"),
        group=r"Ses\d\d",
    )


class SdtMeld(SdtPickle):
    """SDT's features of MELD: a pickled tuple of thirteen items, of which the last is ignored.

    Every position is checked for its shape, since nothing in the file says what it is. There is no
    dev split; the protocol ``heldout`` carves one from train by dialogue. Speakers are numbers.
    """

    name = "sdt_meld"
    corpus = "MELD"
    licence = f"Annotations: GPL-3.0 (MELD, Poria et al. 2019). {_LICENCE}"
    layout = Layout(ignored=1, labels=MELD_LABELS, widths={**_TEXT, "audio": 300, "visual": 342}, speakers=9)


def _dialogues(items: Items, pattern: str) -> Iterator[DialogueRecord]:
    for name, split in items.split.items():
        columns = (items.ids[name], items.speakers[name], items.labels[name], items.sentences[name])
        utterances = tuple(
            UtteranceRecord(id if isinstance(id, str) else f"{name}_{id}", speaker, label, text)
            for id, speaker, label, text in zip(*columns, strict=True)
        )
        group = re.match(pattern, name)
        yield DialogueRecord(name, split, utterances, group[0] if group else "")


def _findings(items: Items) -> Iterator[Finding]:
    yield Finding("note", "no dev split", "the file has no dev split: protocol heldout carves one from train")
    if items.unlisted:
        text = f"{counted(len(items.unlisted), 'dialogue')} neither in train nor in test: left out"
        yield Finding("warning", "no split", text, tuple(Place(d) for d in items.unlisted))


@hookimpl
def ercframe_components() -> list[type[Importer]]:
    return [SdtIemocap, SdtMeld]
