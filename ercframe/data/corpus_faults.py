"""What keeps a corpus that an importer returned from becoming a bundle."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from ercframe.data.records import SPLITS, Corpus, UtteranceRecord
from ercframe.errors import Problem

_SHOWN = 3


def corpus_faults(corpus: Corpus) -> Iterator[Problem]:
    """Everything wrong with ids, splits, labels, targets and the shapes of features."""
    utterances = [u for dialogue in corpus.dialogues for u in dialogue.utterances]
    if not corpus.dialogues:
        yield Problem("", "dialogues", "must be at least one (got none)")
        return
    yield from _broken("dialogue", "must be unique", _repeated(d.id for d in corpus.dialogues))
    yield from _broken("utterance", "must be unique", _repeated(u.id for u in utterances))
    yield from _broken("dialogue", "must have an utterance", (d.id for d in corpus.dialogues if not d.utterances))
    empty = sum(not name for name in [d.id for d in corpus.dialogues] + [u.id for u in utterances])
    yield from _broken("id", "must not be empty", [f"{empty} that are"] * bool(empty))
    splits = (f"{d.split!r} in {d.id}" for d in corpus.dialogues if d.split not in SPLITS)
    yield from _broken("split", "must be train, dev or test", splits)
    yield from _labels(corpus, utterances)
    yield from _targets(utterances)
    yield from _features(corpus, len(utterances))


def _labels(corpus: Corpus, utterances: list[UtteranceRecord]) -> Iterator[Problem]:
    if not corpus.labels:
        yield Problem("", "labels", "must name at least one emotion (got none)")
    yield from _broken("labels", "must differ", _repeated(corpus.labels))
    wrong = (f"{u.label} in {u.id}" for u in utterances if not -1 <= u.label < len(corpus.labels))
    yield from _broken("label", f"must be -1 to {len(corpus.labels) - 1}", wrong)


def _targets(utterances: list[UtteranceRecord]) -> Iterator[Problem]:
    shapes = Counter(tuple((name, len(values)) for name, values in u.targets.items()) for u in utterances)
    if len(shapes) > 1:
        yield Problem("", "targets", "must be the same, with the same widths, in all utterances (NaN where unknown)")


def _features(corpus: Corpus, rows: int) -> Iterator[Problem]:
    for modality, array in corpus.features.items():
        shape, dtype = array.values.shape, array.values.dtype.name
        if not re.fullmatch(r"[a-z][a-z0-9_]*", modality):
            message = "must be lower case letters, digits and underscores, a letter first"
            yield Problem("", "modality", f"{message} (got {modality!r})")
        if len(shape) != 2 or shape[0] != rows or not shape[1]:
            yield Problem("", modality, f"must have a row for each of {rows:,} utterances (got shape {shape})")
        if dtype not in ("float16", "float32", "float64"):
            yield Problem("", modality, f"must be float16, float32 or float64 (got {dtype})")


def _repeated(names: Iterable[str]) -> list[str]:
    return [f"{name!r} {n} times" for name, n in Counter(names).items() if n > 1]


def _broken(what: str, rule: str, examples: Iterable[str]) -> Iterator[Problem]:
    """One problem for all that break a rule, if any do."""
    found = list(examples)
    if found:
        rest = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        yield Problem("", what, f"{rule} (got {', '.join(found[:_SHOWN])}{rest})")
