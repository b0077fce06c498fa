"""MELD: the published annotation files, joined with features from an ``.npz`` file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from ercframe import (
    ComponentConfig,
    Corpus,
    DialogueRecord,
    Finding,
    Importer,
    NpzFile,
    SourceFile,
    UtteranceRecord,
    describe_turns,
    hookimpl,
)
from ercframe_plugins.importers.meld_annotations import (
    FILES,
    LABELS,
    SENTIMENTS,
    Row,
    by_dialogue,
    read_rows,
    write_example,
)
from ercframe_plugins.importers.meld_clips import Clips, find_clips
from ercframe_plugins.importers.meld_faults import find_faults
from ercframe_plugins.importers.meld_features import Features, join_features


class MeldImporter(Importer):
    """MELD (Poria et al., ACL 2019) from its three annotation files, with features where there are some.

    Dialogues are numbered anew in every split, so their ids here are ``train_0``, ``dev_0``, … Features are joined
    on split, dialogue and utterance; an utterance that they lack is not available. Faults of the corpus are
    reported, never repaired: results stay comparable.
    """

    name = "meld"

    class Config(ComponentConfig):
        features: Path | None = Field(
            None, description="An .npz file with split, dialogue, utterance, perhaps label and label_names, and arrays."
        )
        modalities: dict[str, tuple[str, ...]] = Field(
            {}, description="Modality to the 2-D arrays of that file that are joined for it, in order."
        )
        speaker_ids: Literal["corpus", "order"] = Field(
            "order",
            description="order: count the speakers of each dialogue, nine at most. corpus: an id for each name, 304.",
        )

        labels_of: Literal["emotion", "sentiment"] = Field(
            "emotion",
            description="Which annotation gives the labels; sentiment: neutral, positive, negative.",
        )
        clips: Path | None = Field(
            None,
            description="Folder with train_splits, dev_splits_complete and output_repeated_splits_test, as MELD's "
            "archives make them; their clips are recorded as video.",
        )

        @model_validator(mode="after")
        def _features_have_modalities(self) -> Self:
            if bool(self.features) != bool(self.modalities):
                got, lacks = ("features", "modalities") if self.features else ("modalities", "features")
                raise ValueError(f"features and modalities must come together (got {got} without {lacks})")
            return self

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def example_source(cls, folder: Path) -> tuple[Path, Mapping[str, object]]:
        """The three tables, each with one dialogue in which everybody feels something else."""
        write_example(folder)
        return folder, {}

    def read(self, source: Path) -> Corpus:
        """Read ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and ``test_sent_emo.csv`` from a folder."""
        of_sentiment = self.config.labels_of == "sentiment"
        rows = read_rows(source, of_sentiment)
        labels, features, findings = LABELS, Features(), list[Finding]()
        if self.config.features:
            labels, features, findings = join_features(NpzFile(self.config.features), self.config.modalities, rows)
        clips = find_clips(self.config.clips, rows) if self.config.clips else Clips({}, ())
        labels = SENTIMENTS if of_sentiment else labels
        dialogues = tuple(_dialogues(rows, self.config.labels_of, labels, clips))
        return Corpus(
            name="MELD",
            labels=labels,
            dialogues=dialogues,
            features=features,
            licence="Annotations: GPL-3.0 (MELD, Poria et al. 2019). Features: derived, for research.",
            speaker_ids=self.config.speaker_ids,
            sources=tuple(SourceFile.of(source / name) for name in FILES.values()),
            findings=(*find_faults(rows), *describe_turns(dialogues, "Utterance_ID"), *clips.findings, *findings),
        )


def _dialogues(rows: Sequence[Row], labels_of: str, labels: tuple[str, ...], clips: Clips) -> Iterator[DialogueRecord]:
    for name, of_one in by_dialogue(rows).items():
        utterances = tuple(
            UtteranceRecord(
                id=row.id,
                speaker=row.speaker,
                label=labels.index(getattr(row, labels_of)),
                text=row.text,
                start=row.start,
                end=row.end,
                media={"video": clips.files[row.key]} if row.key in clips.files else {},
            )
            for row in of_one
        )
        yield DialogueRecord(name, of_one[0].split, utterances)


@hookimpl
def ercframe_components() -> list[type[Importer]]:
    return [MeldImporter]
