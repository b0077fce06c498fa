"""Extractors, as a plugin file, and bundles with files, on which tests of extraction run."""

import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import small_corpus
from numpy.typing import NDArray

from ercframe import Bundle, Corpus, DialogueRecord, Extractor, UtteranceRecord, UtteranceView
from ercframe.data.writer import write_bundle
from ercframe.extraction.compute import Means
from ercframe.extraction.pool import Maker
from ercframe.extraction.run import Order, extract_modality

PLUGIN = '''"""Extractors for tests: a line in calls.log for everything that is read or extracted.

As long as there is a file named pause, nothing more is done once calls.log has as many lines as it says.
"""
import os, time
from pathlib import Path
import numpy as np
from pydantic import Field
from ercframe import ComponentConfig, Extractor, Fitted, NotAvailableError, Reading, hookimpl

LOG = Path(__file__).with_name("calls.log")


def log(*words):
    with LOG.open("a") as file:
        print(*words, file=file)


def pause():
    file = LOG.with_name("pause")
    while file.exists() and LOG.exists() and len(LOG.read_text().splitlines()) >= int(file.read_text()):
        time.sleep(0.01)


class Letters(Extractor):
    """How often each of three letters occurs."""

    name, modality, needs, version, columns = "letters", "text", ("text",), "1", ("a", "e", "i")

    class Config(ComponentConfig):
        batch_size: int = Field(2, ge=1, description="Utterances at a time.")
        scale: float = Field(1.0, description="Factor.")
        seconds: float = Field(0.0, description="How long a batch takes.")

    def __init__(self, config):
        self.config, self.batch_size = config, config.batch_size

    def read(self, utterance):
        if "BROKEN" in utterance.text:
            raise NotAvailableError("the words are broken", broken=True)
        if "SILENT" in utterance.text:
            raise NotAvailableError("silence")
        if "BUG" in utterance.text:
            return {}["no such key"]
        return Reading(utterance.text, "longer than most: cut" if "LONG" in utterance.text else "")

    def extract(self, contents):
        pause()
        time.sleep(self.config.seconds)
        log("extract", *[text.split()[0] + text.split()[-1] for text in contents])
        found = np.array([[text.count(letter) for letter in "aei"] for text in contents], "float32")
        found[["INF" in text for text in contents], 0] = np.inf
        found[["NAN" in text for text in contents]] = np.nan
        return found[:, : 2 if any("NARROW" in text for text in contents) else 3] * np.float32(self.config.scale)


class Bytes(Extractor):
    """Length and mean of a file, read by other processes."""

    name, modality, needs, version = "bytes", "audio", ("audio",), "1"

    class Config(ComponentConfig):
        seconds: float = Field(0.0, description="How long a file takes.")

    def __init__(self, config):
        self.config = config

    def read(self, utterance):
        log("read", utterance.id)
        pause()
        time.sleep(self.config.seconds)
        content = utterance.file("audio").read_bytes()
        if content == b"KILL":
            os._exit(9)
        if not content:
            raise NotAvailableError("the file is empty", broken=True)
        return Reading(np.frombuffer(content, "uint8"))

    def extract(self, contents):
        return np.array([[len(x), x.mean()] for x in contents], "float32")


class Centred(Letters):
    """Letters less their mean in train."""

    name, modality, fits = "centred", "centred", True

    def fit(self, contents):
        texts = list(contents)
        log("fit", len(texts))
        self.mean = np.mean([[text.count(letter) for letter in "aei"] for text in texts], axis=0).astype("float32")

    def fitted(self):
        return Fitted({"mean": self.mean}, {"letters": "aei"})

    def restore(self, fitted):
        self.mean = fitted.arrays["mean"]

    def extract(self, contents):
        return super().extract(contents) - self.mean


@hookimpl
def ercframe_components():
    return [Letters, Bytes, Centred]
'''


class Watcher:
    """An observer that remembers what it was told, and may stop the extraction after some blocks."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.begun: list[tuple[int, int]] = []
        self.blocks: list[int] = []
        self.stop_after = stop_after

    def started(self, turns: int, done: int) -> None:
        self.begun.append((turns, done))

    def advanced(self, turns: int) -> None:
        self.blocks.append(turns)
        if len(self.blocks) == self.stop_after:
            raise KeyboardInterrupt


def plugin(folder: Path) -> Path:
    """Write the plugin file."""
    path = folder / "extractors.py"
    path.write_text(PLUGIN)
    return path


def calls(folder: Path) -> list[str]:
    """What the extractors did since the last time."""
    log = folder / "calls.log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


def texts_of(path: Path, texts: dict[str, str] | None = None) -> Bundle:
    """The small corpus with other words for some utterances, without features."""
    dialogues = small_corpus.edited(lambda u: replace(u, text=(texts or {}).get(u.id, u.text)))
    return small_corpus.bundle(path, dialogues=dialogues, features={})


def many(path: Path, count: int, files: Path | None = None) -> Bundle:
    """A bundle of dialogues of five utterances; with a file for each where a folder for them is given."""

    def utterance(dialogue: int, i: int) -> UtteranceRecord:
        id = f"d{dialogue}_{i}"
        if files is not None:
            (files / f"{id}.wav").write_bytes(hashlib.sha256(id.encode()).digest() * (1 + i))
        media = {"audio": f"{id}.wav"} if files is not None else {}
        return UtteranceRecord(id, "Ann", i % 2, f"{id} said aeiou {'e' * dialogue}", media=media)

    if files is not None:
        files.mkdir(exist_ok=True)
    dialogues = tuple(
        DialogueRecord(f"d{d}", ("train", "dev", "test")[d % 3], tuple(utterance(d, i) for i in range(5)), f"g{d % 2}")
        for d in range(count // 5)
    )
    write_bundle(Corpus("many", ("joy", "anger"), dialogues), path, small_corpus.MADE_BY)
    return Bundle(path)


def order(folder: Path, name: str, bundle: Path, settings: str = "{}", **changes) -> Order:
    """An order for one of the extractors of the plugin file."""
    modality = changes.pop("modality", {"letters": "text", "bytes": "audio", "centred": "centred"}[name])
    return Order(Maker(name, settings, (plugin(folder),)), json.loads(settings), bundle, modality, **changes)


def run(what: Order, watcher: Watcher | None = None, **means):
    """Carry out an order; returns the manifest and what was noticed."""
    return extract_modality(what, Means(**means), watcher or Watcher())


def content(bundle: Path) -> dict[str, bytes]:
    """Every file of a bundle."""
    return {p.relative_to(bundle).as_posix(): p.read_bytes() for p in sorted(bundle.rglob("*")) if p.is_file()}


def features(extractor: Extractor, *turns: UtteranceView) -> NDArray[Any]:
    """Read each turn as another process would, then extract all of them together."""
    readings = [pickle.loads(pickle.dumps(extractor.read(t))) for t in turns]
    extractor.load("cpu")
    return extractor.extract([reading.content for reading in readings])
