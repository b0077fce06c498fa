"""Anybody's own conversations: JSON, one utterance a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from ercframe import (
    ComponentConfig,
    Conversation,
    Corpus,
    DialogueRecord,
    Finding,
    Importer,
    Place,
    Problem,
    SourceFile,
    Split,
    counted,
    describe_turns,
    dialogue_records,
    hookimpl,
    nearest,
    problems_in,
    read_conversations,
)


class JsonlImporter(Importer):
    """Conversations from a file of JSON lines, one utterance each.

    ``ercframe schema --for conversations`` prints what a line may hold. Lines of a dialogue stay in
    their order. Recordings are looked for beside the file; one that is not there is listed and not
    recorded.
    """

    name = "jsonl"

    class Config(ComponentConfig):
        labels: tuple[str, ...] = Field(
            (), description="Emotions in the order of their indices; left out, those of the file by the alphabet."
        )
        split: Split | None = Field(None, description="Of dialogues that say none; null: every dialogue must say.")
        media: Path | None = Field(None, description="Folder of the recordings; left out, that of the file.")
        corpus: str = Field("", description="Name of the corpus; empty takes the file's name.")
        licence: str = Field("", description="Terms of use, for the manifest.")
        speaker_ids: Literal["corpus", "order"] | None = Field(
            None,
            description="corpus: a name is the same speaker everywhere. order: count the speakers of each dialogue. "
            "null: corpus where the same names recur in nearly every dialogue, else order.",
        )

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def example_source(cls, folder: Path) -> tuple[Path, Mapping[str, object]]:
        """A dialogue of two utterances for each split, the second by somebody else."""
        path = folder / "example.jsonl"
        lines = [
            {"dialogue": f"{split}_1", "split": split, "speaker": speaker, "text": f"I feel {label}.", "label": label}
            for split in ("train", "dev", "test")
            for speaker, label in (("Ann", "joy"), ("Bob", "anger"))
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path, {}

    def read(self, source: Path) -> Corpus:
        """Read the file."""
        conversations = read_conversations(source)
        labels = self.config.labels or tuple(sorted({t.label for c in conversations for t in c.turns if t.label}))
        problems = list(_problems(source, conversations, labels, self.config.split))
        if problems:
            raise problems_in(source, problems)
        dialogues = dialogue_records(conversations, labels, self.config.split or "train")
        dialogues, missing = _with_media(dialogues, self.config.media or source.parent)
        return Corpus(
            name=self.config.corpus or source.stem,
            labels=labels,
            dialogues=dialogues,
            licence=self.config.licence,
            speaker_ids=self.config.speaker_ids,
            sources=(SourceFile.of(source),),
            findings=(*describe_turns(dialogues, "the order of lines"), *missing),
        )


def _problems(
    source: Path, conversations: Sequence[Conversation], labels: Sequence[str], split: Split | None
) -> Iterator[Problem]:
    """What a corpus must have and a conversation need not: labels and splits."""
    if not labels:
        yield Problem("", "label", "must be given in at least one line (got none)")
    for conversation in conversations:
        if not (conversation.split or split):
            where = f"{source.name}:{conversation.lines[0]}"
            message = "must be given in a line of every dialogue, or for all: split=train"
            yield Problem(where, "split", f"{message} (got none for '{conversation.id}')")
        for turn, line in zip(conversation.turns, conversation.lines, strict=True):
            if turn.label and turn.label not in labels:
                got = f"(got '{turn.label}'{nearest(turn.label, labels)})"
                yield Problem(f"{source.name}:{line}", "label", f"must be one of {', '.join(labels)} {got}")


def _with_media(dialogues: Sequence[DialogueRecord], folder: Path) -> tuple[tuple[DialogueRecord, ...], list[Finding]]:
    """The dialogues with the recordings that are there, and a finding for those that are not."""
    absent = {
        Place(d.id, u.id): [kind for kind, file in u.media.items() if not (folder / file).is_file()]
        for d in dialogues
        for u in d.utterances
    }
    kept = tuple(
        replace(
            d,
            utterances=tuple(
                replace(u, media={k: f for k, f in u.media.items() if k not in absent[Place(d.id, u.id)]})
                for u in d.utterances
            ),
        )
        for d in dialogues
    )
    places = tuple(place for place, kinds in absent.items() if kinds)
    count = sum(map(len, absent.values()))
    text = f"{counted(count, 'recording')} not in {folder}: not available"
    return kept, [Finding("warning", "no recording", text, places)] if places else []


@hookimpl
def ercframe_components() -> list[type[Importer]]:
    return [JsonlImporter]
