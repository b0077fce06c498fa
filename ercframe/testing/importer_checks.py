"""Checks of importers: what cannot be read is refused in words, what can be read makes a sound bundle."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ercframe.blame import blame
from ercframe.components import ComponentConfig, Importer
from ercframe.data.check import check_bundle
from ercframe.data.manifest import MadeBy
from ercframe.data.records import Corpus
from ercframe.data.writer import write_bundle
from ercframe.errors import InputError
from ercframe.testing.verdicts import ContractError, NotApplicableError, require


class ImporterTrial:
    """An importer, and the small source that it writes for its checks, where it does."""

    def __init__(self, component: type[Importer], config: ComponentConfig) -> None:
        self.component, self.config = component, config

    def read(self, source: Path, settings: Mapping[str, object] | None = None) -> Corpus:
        """Read a source with a new importer, which has other ``settings`` where these are given."""
        constructor: Any = self.component
        config = self.config if settings is None else self.component.Config(**settings)
        corpus: Corpus = constructor(config).read(source)
        return corpus

    @contextmanager
    def example(self) -> Iterator[tuple[Path, Mapping[str, object]]]:
        """A source in a folder of its own, which is gone afterwards, and the settings to read it with."""
        with tempfile.TemporaryDirectory() as outside:
            folder = Path(outside) / "source"  # a source may be the folder itself, and its surroundings are looked at
            folder.mkdir()
            found = self.component.example_source(folder)
            if found is None:
                raise NotApplicableError("example_source writes none")
            yield found


def unreadable_sources_are_refused(trial: ImporterTrial) -> None:
    """A source that is not there, an empty file, a file of other bytes and an empty folder must raise InputError.

    People give the wrong path first. A traceback does not tell them so.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        (folder / "empty.file").write_bytes(b"")
        (folder / "other.file").write_bytes(b"\x00\xff neither text nor an archive")
        for source in ("nowhere", "empty.file", "other.file", "empty"):
            _require_refused(trial, folder / source)


def source_is_left_alone(trial: ImporterTrial) -> None:
    """Reading must not change, add or remove a file of the source.

    It is often the only copy, and its hash is in the manifest.
    """
    with trial.example() as (source, settings):
        before = _hashes(source)
        trial.read(source, settings)
        require(_hashes(source) == before, f"the files must stay as they are (changed: {_changed(source, before)})")


def import_repeats(trial: ImporterTrial) -> None:
    """Reading a source twice must give the same dialogues, labels and features, in the same order.

    Two people who import the same files compare their numbers.
    """
    with trial.example() as (source, settings):
        first, second = trial.read(source, settings), trial.read(source, settings)
        require(first.labels == second.labels, f"labels must be the same (got {first.labels} and {second.labels})")
        require(list(first.dialogues) == list(second.dialogues), "dialogues must be the same, in the same order")
        for name, array in first.features.items():
            same = name in second.features and _bytes(array.values) == _bytes(second.features[name].values)
            require(same, f"features of '{name}' must be the same")


def corpus_makes_a_sound_bundle(trial: ImporterTrial) -> None:
    """What is read must be written as a bundle in which ``ercframe data check`` finds no error.

    Training opens bundles only, and refuses one that is not sound.
    """
    with trial.example() as (source, settings), tempfile.TemporaryDirectory() as folder:
        made_by = MadeBy(ercframe="0", importer=trial.component.name, settings={}, sources=())
        corpus = trial.read(source, settings)
        try:
            write_bundle(corpus, Path(folder) / "bundle", made_by)
        except InputError as error:
            raise ContractError(f"the corpus must be one that can be written (got: {error})") from error
        errors = [finding.message for finding in check_bundle(Path(folder) / "bundle") if finding.level == "error"]
        require(not errors, f"the bundle must be sound (found: {'; '.join(errors)})")


def _require_refused(trial: ImporterTrial, source: Path) -> None:
    try:
        trial.read(source)
    except InputError:
        return
    except Exception as error:
        raise ContractError(f"{_kind(source)} must raise InputError (got {blame(error)})") from error
    raise ContractError(f"{_kind(source)} must raise InputError (got a corpus)")


def _kind(source: Path) -> str:
    kinds = {"nowhere": "a source that is not there", "empty.file": "an empty file", "empty": "an empty folder"}
    return kinds.get(source.name, "a file of other bytes")


def _files(source: Path) -> list[Path]:
    return sorted(path for path in [source, *source.parent.rglob("*")] if path.is_file())


def _hashes(source: Path) -> dict[Path, str]:
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(source)}


def _changed(source: Path, before: dict[Path, str]) -> str:
    pairs = set(before.items()) ^ set(_hashes(source).items())
    return ", ".join(sorted({path.name for path, _ in pairs}))


def _bytes(values: Any) -> tuple[Any, ...]:
    return values.shape, str(values.dtype), values.tobytes()
