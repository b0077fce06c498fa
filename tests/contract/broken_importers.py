"""Small importers, each with one fault; ``breaks`` names the checks that must find it, and no others."""

import json
from typing import ClassVar

import numpy as np
from broken_parts import Documented

from ercframe import Corpus, DialogueRecord, FeatureArray, Importer, InputError, UtteranceRecord

LINES = [("d1", "train", 0), ("d1", "train", 1), ("d2", "dev", 1), ("d3", "test", 0)]


class SoundImporter(Documented, Importer):
    """Reads lines of JSON."""

    name = "sound"
    breaks: ClassVar[set[str]] = set()

    def __init__(self, config):
        self.calls = 0

    @classmethod
    def example_source(cls, folder):
        path = folder / "lines.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in LINES))
        return path, {}

    def read(self, source):
        try:
            lines = [json.loads(line) for line in source.read_text().splitlines()]
        except (OSError, ValueError) as error:
            raise InputError(f"{source} must be a file of JSON lines") from error
        if not lines:
            raise InputError(f"{source} must have a line")
        return self.corpus(lines)

    def corpus(self, lines):
        dialogues = []
        for name in dict.fromkeys(line[0] for line in lines):
            own = [line for line in lines if line[0] == name]
            turns = tuple(UtteranceRecord(f"{name}_{i}", "Ann", label) for i, (_, _, label) in enumerate(own))
            dialogues.append(DialogueRecord(name, own[0][1], turns))
        values = np.arange(2.0 * len(lines)).reshape(-1, 2)
        return Corpus("sound", ("joy", "anger"), tuple(dialogues), {"text": FeatureArray(values)})


class TakesAnythingForAFile(SoundImporter):
    breaks = {"unreadable_sources_are_refused"}

    def read(self, source):
        return self.corpus([json.loads(line) for line in source.read_text().splitlines()])


class ReadsNothingFromAnEmptyFile(SoundImporter):
    breaks = {"unreadable_sources_are_refused"}

    def read(self, source):
        return super().read(source) if not source.is_file() or source.stat().st_size else self.corpus(LINES)


class TidiesTheSource(SoundImporter):
    breaks = {"source_is_left_alone"}

    def read(self, source):
        found = super().read(source)
        source.write_text(source.read_text() + "\n")
        return found


class LeavesAFileBehind(SoundImporter):
    breaks = {"source_is_left_alone"}

    def read(self, source):
        found = super().read(source)
        (source.parent / "cache.json").write_text("{}")
        return found


class ShufflesTheDialogues(SoundImporter):
    breaks = {"import_repeats"}
    reads = 0

    def corpus(self, lines):
        type(self).reads += 1
        return super().corpus(lines if type(self).reads % 2 else lines[::-1])


class DrawsItsFeatures(SoundImporter):
    breaks = {"import_repeats"}

    def corpus(self, lines):
        found = super().corpus(lines)
        found.features["text"].values[:] = np.random.default_rng().normal(size=(len(lines), 2))
        return found


class LosesAFeatureRow(SoundImporter):
    breaks = {"corpus_makes_a_sound_bundle"}

    def corpus(self, lines):
        found = super().corpus(lines)
        found.features["text"] = FeatureArray(found.features["text"].values[1:])
        return found


class HasNoTrainingDialogue(SoundImporter):
    breaks = {"corpus_makes_a_sound_bundle"}

    def corpus(self, lines):
        return super().corpus([(name, "test", label) for name, _, label in lines])
