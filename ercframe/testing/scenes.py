"""What may stand around a component under test: corpora, and promises of the parts before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ercframe.data.dialogue import Dialogue
from ercframe.specs import DatasetInfo, FusedSpec, ModelSpec, StreamSpec
from ercframe.tensors import Stream
from ercframe.testing.conversations import LENGTHS, example_dataset, example_dialogues
from ercframe.wording import counted

WIDTH = 6
UNEVEN = (6, 4, 5)


@dataclass(frozen=True)
class Scene:
    """One surrounding in which a component is tried.

    Attributes:
        name: what a failure calls it.
        dataset: the corpus.
        before: what the component is built on besides its config and the corpus.
        lengths: utterances of each dialogue that it is tried on.
        holes: whether utterances lack modalities.
        unscored: whether utterances lack a label.
    """

    name: str
    dataset: DatasetInfo
    before: tuple[Any, ...] = ()
    lengths: tuple[int, ...] = LENGTHS
    holes: bool = True
    unscored: bool = True

    def dialogues(self, **options: Any) -> list[Dialogue]:
        """The conversations of the scene; options as in :func:`example_dialogues`."""
        usual: dict[str, Any] = {"lengths": self.lengths, "holes": self.holes, "unscored": self.unscored}
        return example_dialogues(self.dataset, **(usual | options))


def scenes(kind: str) -> tuple[Scene, ...]:
    """Every surrounding for components of a kind."""
    return tuple(_SCENES[kind]())


def other_corpora(kind: str) -> Iterator[Scene]:
    """Corpora that differ from the usual ones in what no component may take for granted."""
    usual = example_dataset()
    corpora = {
        "2 emotions": replace(usual, labels=("joy", "anger"), class_counts=(60, 40)),
        "7 emotions": replace(usual, labels=tuple("abcdefg"), class_counts=(10,) * 7),
        "a single speaker": replace(usual, speakers=1),
        "9 speakers": replace(usual, speakers=9),
        "modalities of other names": example_dataset({"smell": 4, "taste": 2}),
    }
    for name, dataset in corpora.items():
        streams, kept = own_streams(dataset.modalities), fused(dataset.modalities)
        before = {"fusion": (streams,), "classifier": (kept,), "loss": (ModelSpec(streams, kept),)}
        yield Scene(f"a corpus with {name}", dataset, before.get(kind, ()))


def _corpora() -> Iterator[tuple[str, DatasetInfo]]:
    for count in (3, 2, 1):
        yield counted(count, "modality", "modalities"), example_dataset(count)


def _of_corpus() -> Iterator[Scene]:
    for name, dataset in _corpora():
        yield Scene(name, dataset)


def _of_streams() -> Iterator[Scene]:
    for name, dataset in _corpora():
        yield Scene(f"own streams of {name}", dataset, (own_streams(dataset.modalities),))
        if len(dataset.modalities) > 1:
            yield Scene(f"all pairs of {name}", dataset, (all_pairs(dataset.modalities),))
    dataset = example_dataset(3)
    widths = {Stream(m, m): width for m, width in zip(dataset.modalities, UNEVEN, strict=True)}
    yield Scene("own streams of different widths", dataset, (StreamSpec(widths),))
    yield Scene("one joint stream", dataset, (own_streams(["joint"]),))


def _of_fused() -> Iterator[Scene]:
    for name, dataset in _corpora():
        yield Scene(f"{name} kept apart", dataset, (fused(dataset.modalities),))
    dataset = example_dataset(3)
    yield Scene("a joint representation alone", dataset, (FusedSpec(WIDTH),))
    widths = dict(zip(dataset.modalities, UNEVEN, strict=True))
    yield Scene("modalities of different widths kept apart", dataset, (FusedSpec(WIDTH + 1, widths),))
    yield Scene("one joint stream kept apart", dataset, (fused(["joint"]),))


def _of_model() -> Iterator[Scene]:
    for name, dataset in _corpora():
        modalities = dataset.modalities
        yield Scene(f"{name} kept apart", dataset, (ModelSpec(all_pairs(modalities), fused(modalities)),))
    modalities = example_dataset(3).modalities
    joint = ModelSpec(own_streams(modalities), FusedSpec(WIDTH))
    yield Scene("a joint representation alone", example_dataset(3), (joint,))


def own_streams(modalities: Iterable[str]) -> StreamSpec:
    """Each modality's own stream, all of one width."""
    return StreamSpec({Stream(m, m): WIDTH for m in modalities})


def all_pairs(modalities: Mapping[str, int]) -> StreamSpec:
    """A stream for every ordered pair of modalities, all of one width."""
    return StreamSpec({Stream(target, source): WIDTH for target in modalities for source in modalities})


def fused(modalities: Iterable[str]) -> FusedSpec:
    """A joint representation, and one per modality of the same width."""
    return FusedSpec(WIDTH, dict.fromkeys(modalities, WIDTH))


_SCENES = {
    "encoder": _of_corpus,
    "fusion": _of_streams,
    "classifier": _of_fused,
    "loss": _of_model,
    "transform": _of_corpus,
}
