"""What the importers of SDT's feature files (Ma et al. 2024) have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
)
from ercframe_plugins.importers.sdt_example import write_example
from ercframe_plugins.importers.sdt_items import TEXTS, Items, Layout, read_items

LICENCE = "SDT's repository states no licence for its features."
TEXT_WIDTHS = dict.fromkeys(TEXTS, 1024)


class SdtConfig(ComponentConfig):
    """Settings of both importers."""

    text_vector: int = Field(1, ge=1, le=4, description="Which of the four RoBERTa vectors is the text; SDT has 1.")


class SdtPickle(Importer):
    """From a checked tuple to a corpus.

    Attributes:
        corpus: its name.
        licence: terms of use.
        layout: what the tuple must look like.
    """

    Config = SdtConfig
    corpus: ClassVar[str]
    licence: ClassVar[str]
    layout: ClassVar[Layout]

    def __init__(self, config: SdtConfig) -> None:
        self.config = config

    @classmethod
    def example_source(cls, folder: Path) -> tuple[Path, Mapping[str, object]]:
        """A file of that layout with two dialogues, each with every emotion once."""
        write_example(folder / "example.pkl", cls.layout)
        return folder / "example.pkl", {}

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
