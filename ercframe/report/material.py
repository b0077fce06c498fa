"""What a report is made of: the files of a run folder, read and looked over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ercframe.errors import InputError, Problem, problems_in
from ercframe.runs import RunFolder

Row = Mapping[str, Any]

_SUMMARY = ("recipe", "status", "protocol", "selection", "dataset", "seeds", "over_seeds")
_PREDICTION = ("split", "dialogue", "utterance", "label", "prediction", "probabilities")
_EPOCH = ("epoch", "loss")


@dataclass(frozen=True)
class SeedMaterial:
    """What one seed left.

    Attributes:
        seed: its number.
        entry: what the summary says of it; None where it was not concluded.
        epochs: rows of ``metrics.jsonl``.
        dev: rows of ``predictions.jsonl``; empty where there is no dev or the seed was not concluded.
        test: likewise.
        representations: the file with them, which may be missing.
    """

    seed: int
    entry: Row | None
    epochs: Sequence[Row]
    dev: Sequence[Row]
    test: Sequence[Row]
    representations: Path


@dataclass(frozen=True)
class RunMaterial:
    """What a run left.

    Attributes:
        path: the run folder.
        summary: ``summary.json``; None where nothing was concluded yet.
        environment: ``environment.json``.
        recipe: the text of ``recipe.yaml``.
        seeds: in the order of their training.
        inputs: ``inputs/inputs.json``, or None.
        evaluation: ``evaluation.json``, or None.
    """

    path: Path
    summary: Row | None
    environment: Row
    recipe: str
    seeds: Sequence[SeedMaterial]
    inputs: Row | None
    evaluation: Row | None

    @classmethod
    def open(cls, path: Path) -> RunMaterial:
        """Read a run folder; finished or not.

        Raises:
            InputError: it is none, or files in it are missing or damaged; names all of them.
        """
        RunFolder.open(path)
        reader = _Reader(path)
        found = cls(
            path=path,
            summary=(summary := reader.object("summary.json", _SUMMARY, optional=True)),
            environment=reader.object("environment.json", ()) or {},
            recipe=reader.text("recipe.yaml"),
            seeds=[reader.seed(number, entry) for number, entry in _seeds(path, summary)],
            inputs=reader.object("inputs/inputs.json", (), optional=True),
            evaluation=reader.object("evaluation.json", ("schema_version",), optional=True),
        )
        if reader.problems:
            raise problems_in(path, reader.problems, "What a run wrote must be there as it wrote it.")
        return found

    @property
    def concluded(self) -> Sequence[SeedMaterial]:
        """The seeds with scores and predictions."""
        return [seed for seed in self.seeds if seed.entry]

    @property
    def name(self) -> str:
        """The recipe's."""
        return str(self.summary["recipe"]) if self.summary else self.path.resolve().parent.name

    @property
    def status(self) -> str:
        """``finished``, or why not."""
        return str(self.summary["status"]) if self.summary else "running"

    @property
    def generated(self) -> bool:
        """Whether nobody spoke what it was trained on."""
        return bool(self.summary and self.summary["dataset"]["generated"])

    @property
    def average(self) -> str | None:
        """Which average the scored weights are, ``ema`` or ``swa``; None where they are those of a step."""
        found: Any = self.settings
        for key in ("trainer", "average", "name"):
            found = found.get(key) if isinstance(found, dict) else None
        return str(found) if found else None

    @property
    def settings(self) -> Mapping[str, Any]:
        """The recipe as plain values; nothing where it is damaged, and its text is shown as it is."""
        try:
            found = yaml.safe_load(self.recipe)
        except yaml.YAMLError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def labels(self) -> Sequence[str]:
        """Names of the emotions; none before the first summary."""
        return self.summary["dataset"]["labels"] if self.summary else ()

    @property
    def modalities(self) -> Sequence[str]:
        """Names of the modalities, in order; none before the first summary."""
        return list(self.summary["dataset"]["modalities"]) if self.summary else ()


def _seeds(path: Path, summary: Row | None) -> list[tuple[int, Row | None]]:
    """The seeds of the summary, and after them those that have a log alone."""
    entries: list[tuple[int, Row | None]] = []
    if summary:
        entries += [(entry["seed"], entry) for entry in summary["seeds"] if isinstance(entry, dict) and "seed" in entry]
    known = {seed for seed, _ in entries}
    logs = (folder.name.removeprefix("seed-") for folder in path.glob("seed-*") if (folder / "metrics.jsonl").is_file())
    return entries + sorted((int(name), None) for name in logs if name.isdecimal() and int(name) not in known)


class _Reader:
    """Reads files of a run folder; keeps what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.problems = folder, list[Problem]()

    def seed(self, seed: int, entry: Row | None) -> SeedMaterial:
        place = f"seed-{seed}"
        rows = self.rows(f"{place}/predictions.jsonl", _PREDICTION) if entry else []
        return SeedMaterial(
            seed,
            entry,
            self.rows(f"{place}/metrics.jsonl", _EPOCH),
            [row for row in rows if row["split"] == "dev"],
            [row for row in rows if row["split"] == "test"],
            self.folder / place / "representations.safetensors",
        )

    def text(self, name: str) -> str:
        with self._kept(name):
            return (self.folder / name).read_text(encoding="utf-8")
        return ""

    def object(self, name: str, keys: Sequence[str], *, optional: bool = False) -> Row | None:
        if optional and not (self.folder / name).exists():
            return None
        with self._kept(name):
            return _checked(json.loads((self.folder / name).read_text(encoding="utf-8")), keys)
        return None

    def rows(self, name: str, keys: Sequence[str]) -> list[Row]:
        with self._kept(name):
            return [_checked(json.loads(line), keys) for line in (self.folder / name).read_bytes().splitlines()]
        return []

    @contextmanager
    def _kept(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.problems.append(Problem(name, "", f"cannot be read: {error.strerror or error}"))
        except ValueError as error:
            self.problems.append(Problem(name, "", f"is damaged: {error}"))


def _checked(found: Any, keys: Sequence[str]) -> Row:
    if not isinstance(found, dict):
        raise ValueError(f"must hold JSON objects (got {type(found).__name__})")
    if lacking := [key for key in keys if key not in found]:
        raise ValueError(f"must have {', '.join(lacking)}")
    return found


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Call what cannot be found or added up in a run folder's files a fault of theirs.

    Raises:
        InputError: something in them has not the form that a run writes.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(
            f"the files of the run in {path} do not have the form that a run writes: {type(error).__name__}: {error}",
            help="A run of another version may have written them.",
        ) from error
