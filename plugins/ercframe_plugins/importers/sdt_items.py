"""The pickled tuples that SDT's authors hand out: their positions by name, and every value checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe import InputError, Problem, Split, problems_in, read_pickle

# Shape letters: L utterances of a dialogue, N of the corpus, D features.

TEXTS = ("text_1", "text_2", "text_3", "text_4")
ITEMS = ("ids", "speakers", "labels", *TEXTS, "audio", "visual", "sentences", "train", "test")
"""Items of the tuple in order; all but the last two are dicts by dialogue."""
_SHOWN = 3  # examples in a problem
Dialogues = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """What a corpus's file must look like.

    Attributes:
        ignored: items after those of :data:`ITEMS`.
        labels: emotions; label i is the i-th.
        widths: number of features of each item that holds features.
        sides: names of the speakers; empty where they are one-hot rows.
        speakers: width of these rows.
        group: what the ids of dialogues begin with where that says their group; a regular expression.
    """

    ignored: int
    labels: tuple[str, ...]
    widths: Mapping[str, int]
    sides: tuple[str, ...] = ()
    speakers: int = 0
    group: str = ""

    @property
    def length(self) -> int:
        """Number of items of the tuple."""
        return len(ITEMS) + self.ignored


@dataclass
class Items:
    """The file's contents by name, for the dialogues of the two lists.

    Attributes:
        split: of each dialogue, train or test, in the order of the file.
        unlisted: dialogues in neither list.
        ids: of each dialogue's utterances.
        speakers: names, or numbers written out.
        labels: indices into the layout's labels.
        sentences: transcripts.
        features: by modality, ``(N, D)`` float32, in the order of :attr:`split`.
    """

    split: dict[str, Split]
    unlisted: tuple[str, ...]
    ids: dict[str, list[Any]] = field(default_factory=dict)
    speakers: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, list[int]] = field(default_factory=dict)
    sentences: dict[str, list[str]] = field(default_factory=dict)
    features: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def read_items(path: Path, layout: Layout, modalities: Mapping[str, str]) -> Items:
    """Read and check a file.

    Args:
        path: the pickle.
        layout: what it must look like.
        modalities: modality to the item that holds its features; other items with features are not looked at.

    Raises:
        InputError: it is no such file; lists every problem.
    """
    found = read_pickle(path)
    if not isinstance(found, tuple | list) or len(found) != layout.length:
        got = f"one of {len(found)}" if isinstance(found, tuple | list) else f"a {type(found).__name__}"
        raise InputError(
            f"{path} must hold a tuple of {layout.length} items: {_listed(layout)} (got {got})",
            help="A pickle in another layout: ercframe.read_pickle reads it in Python, numpy.savez writes what the "
            "importer npz takes.",
        )
    return _Checker(path, layout, dict(zip(ITEMS, found, strict=False))).items(modalities)


def _listed(layout: Layout) -> str:
    more = f", and {layout.ignored} that is ignored" if layout.ignored else ""
    return ", ".join(ITEMS) + more


class _Checker:
    """Collects what is wrong while it goes through the items."""

    def __init__(self, path: Path, layout: Layout, raw: Mapping[str, Any]) -> None:
        self.path, self.layout, self.raw = path, layout, raw
        self.problems: list[Problem] = []

    def items(self, modalities: Mapping[str, str]) -> Items:
        dicts = {name: self._dialogues(name) for name in ("ids", "speakers", "labels", "sentences")}
        dicts |= {item: self._dialogues(item) for item in modalities.values()}
        found = self._divide(dicts["ids"])
        for name, by_dialogue in dicts.items():
            self._note(name, "must have every dialogue", [f"none for {d}" for d in found.split if d not in by_dialogue])
        complete = [d for d in found.split if all(d in by_dialogue for by_dialogue in dicts.values())]
        found.ids = self._column(dicts["ids"], "ids", complete, lambda v: v if isinstance(v, str | int) else None)
        lengths = {d: len(values) for d, values in found.ids.items()}
        speaker = self._side if self.layout.sides else self._one_hot
        found.speakers = self._column(dicts["speakers"], "speakers", lengths, speaker, lengths)
        found.labels = self._column(dicts["labels"], "labels", lengths, self._label, lengths)
        found.sentences = self._column(
            dicts["sentences"], "sentences", lengths, lambda v: v if isinstance(v, str) else None, lengths
        )
        found.features = {m: self._features(dicts[item], item, lengths) for m, item in modalities.items()}
        if self.problems:
            raise problems_in(self.path, self.problems)
        return found

    def _dialogues(self, item: str) -> Dialogues:
        value = self.raw[item]
        if not isinstance(value, dict) or not value:
            self._add(item, f"must be a dict by dialogue (got {_kind(value)})")
            return {}
        named = {str(key): content for key, content in value.items()}
        if len(named) < len(value):
            self._add(item, "must have a dialogue once (got some both as a number and as text)")
        return named

    def _divide(self, ids: Dialogues) -> Items:
        listed: dict[Split, list[str]] = {"train": self._list("train"), "test": self._list("test")}
        for split, names in listed.items():
            repeated = [f"{d} {n} times" for d, n in Counter(names).items() if n > 1]
            self._note(split, "must name a dialogue once", repeated)
            if ids:
                self._note(split, "must name dialogues of the file", [d for d in names if d not in ids])
        both = [d for d in listed["train"] if d in set(listed["test"])]
        self._note("train, test", "must have no dialogue in common", both)
        of: dict[str, Split] = {d: split for split, names in listed.items() for d in names}
        return Items({d: of[d] for d in ids if d in of}, tuple(d for d in ids if d not in of))

    def _list(self, item: str) -> list[str]:
        value = self.raw[item]
        values = sorted(value, key=str) if isinstance(value, set) else _sequence(value)
        if not values or not all(isinstance(v, str | int) for v in values):
            self._add(item, f"must be a list of dialogues (got {_kind(value)})")
            return []
        return [str(v) for v in values]

    def _column(
        self,
        by_dialogue: Dialogues,
        item: str,
        dialogues: Iterable[str],
        check: Callable[[Any], Any],
        lengths: Mapping[str, int] | None = None,
    ) -> dict[str, list[Any]]:
        """One checked value for each utterance of each dialogue; ``check`` returns None for what is wrong."""
        found, wrong, uneven = dict[str, list[Any]](), list[str](), list[str]()
        for d in dialogues:
            values = _sequence(by_dialogue[d])
            length = None if values is None else len(values)
            if values is None or not length:
                wrong.append(f"{_kind(by_dialogue[d])} for {d}")
            elif lengths is not None and length != lengths[d]:
                uneven.append(f"{length} for {d}, which has {lengths[d]}")
            else:
                checked = [check(value) for value in values]
                wrong += [f"{_kind(values[i])} for {d}[{i}]" for i, value in enumerate(checked) if value is None]
                found[d] = checked
        self._note(item, f"must be {self._rule(item)}", wrong)
        self._note(item, "must have a value for each utterance", uneven)
        return found

    def _rule(self, item: str) -> str:
        speakers = " or ".join(self.layout.sides) or f"rows of {self.layout.speakers} with a single 1"
        last = len(self.layout.labels) - 1
        return {
            "ids": "a list of names or numbers",
            "speakers": speakers,
            "labels": f"whole numbers, 0 to {last}",
            "sentences": "text",
        }[item]

    def _side(self, value: Any) -> str | None:
        return value if isinstance(value, str) and value in self.layout.sides else None

    def _one_hot(self, value: Any) -> str | None:
        row = _sequence(value)
        if row is None or len(row) != self.layout.speakers:
            return None
        plain = all(isinstance(v, int | float) for v in row)
        return f"speaker {row.index(1)}" if plain and sorted(row) == [0] * (len(row) - 1) + [1] else None

    def _label(self, value: Any) -> int | None:
        return value if type(value) is int and 0 <= value < len(self.layout.labels) else None

    def _features(self, by_dialogue: Dialogues, item: str, lengths: Mapping[str, int]) -> NDArray[np.float32]:
        width, tables = self.layout.widths[item], list[NDArray[np.float32]]()
        wrong, uneven = list[str](), list[str]()
        if sum(lengths.values()) * width > self.path.stat().st_size:  # rows that are repeated, not stored
            self._add(item, "must hold its own numbers (got more rows than the file has bytes for)")
            return np.empty((0, width), np.float32)
        for d, length in lengths.items():
            rows = _rows(by_dialogue[d])
            if rows is None or len(rows) != length:
                got = _kind(by_dialogue[d]) if rows is None else f"{len(rows)}"
                uneven.append(f"{got} for {d}, which has {length}")
                continue
            bad = [f"{_kind(row)} for {d}[{i}]" for i, row in enumerate(rows) if not _is_vector(row, width)]
            wrong += bad
            if not bad:
                with np.errstate(over="ignore"):  # to infinity, which is noticed later
                    tables.append(np.array([np.asarray(row, dtype=np.float32) for row in rows]))
        self._note(item, f"must be {width} numbers for each utterance", wrong)
        self._note(item, "must have a row for each utterance", uneven)
        return np.concatenate(tables) if tables else np.empty((0, width), np.float32)

    def _add(self, item: str, message: str) -> None:
        self.problems.append(Problem("", item, message))

    def _note(self, item: str, rule: str, examples: Sequence[str]) -> None:
        """One problem for all that break a rule, if there are any."""
        if examples:
            rest = f" and {len(examples) - _SHOWN:,} more" if len(examples) > _SHOWN else ""
            self._add(item, f"{rule} (got {', '.join(examples[:_SHOWN])}{rest})")


def _sequence(value: Any) -> list[Any] | None:
    """A list, tuple or array as a list of plain values; None for anything else."""
    if isinstance(value, np.ndarray):
        return value.tolist() if value.ndim else None
    return list(value) if isinstance(value, list | tuple) else None


def _rows(value: Any) -> Sequence[Any] | NDArray[Any] | None:
    """As :func:`_sequence`, but rows of an array stay arrays."""
    return value if isinstance(value, np.ndarray) and value.ndim else _sequence(value)


def _is_vector(row: Any, width: int) -> bool:
    if isinstance(row, np.ndarray):
        return row.shape == (width,) and row.dtype.kind in "fiu"
    return isinstance(row, list | tuple) and len(row) == width and all(isinstance(v, int | float) for v in row)


def _kind(value: Any) -> str:
    """What a value is, in a few characters; it may be huge, or contain itself."""
    if isinstance(value, np.ndarray):
        return f"an array of {'×'.join(map(str, value.shape)) or 'one value'}"
    if isinstance(value, str | int | float):
        return re.sub(r"\s+", " ", repr(value))[:30]
    if isinstance(value, list | tuple | dict | set):
        return f"a {type(value).__name__} of {len(value)}"
    return "nothing" if value is None else f"a {type(value).__name__}"
