"""What flows through a recipe: features, streams, representations and logits, with their widths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ercframe.build import build_learner
from ercframe.errors import InputError
from ercframe.recipes import Loaded
from ercframe.specs import DatasetInfo
from ercframe.sphinxext.fits import inputs_read

MOST_LABELS = 20
SPEAKERS = 9


@dataclass(frozen=True)
class Part:
    """A component in its slot.

    Attributes:
        kind: its kind.
        name: what the recipe calls it.
        note: what else is worth saying, such as a path; may be empty.
    """

    kind: str
    name: str
    note: str = ""


@dataclass(frozen=True)
class LossPart(Part):
    """A loss, and what it reads besides the labels: of ``logits``, ``joint``, ``modalities`` and ``streams``."""

    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """The data flow of a recipe. Widths are numbers or, where they depend on the data, formulae.

    Attributes:
        name: of the recipe.
        dataset: where conversations come from.
        features: width of each modality.
        transforms: changes of training batches, in order.
        encoder: features to streams.
        streams: width of each stream, by target and then by source.
        fusion: streams to a joint representation.
        joint: its width.
        by_modality: width of each modality's representation; empty where the fusion keeps none.
        classifier: the joint representation to logits.
        losses: by what they read.
    """

    name: str
    dataset: Part
    features: Mapping[str, str]
    transforms: tuple[Part, ...]
    encoder: Part
    streams: Mapping[str, Mapping[str, str]]
    fusion: Part
    joint: str
    by_modality: Mapping[str, str]
    classifier: Part
    losses: tuple[LossPart, ...]

    def sentences(self) -> Iterator[str]:
        """The same in words, for whoever cannot see the drawing."""
        features = _listed(f"{m} ({width})" for m, width in self.features.items())
        yield f"Dataset {self.dataset.name} gives features: {features}."
        for transform in self.transforms:
            yield f"In training, {transform.name} changes them."
        streams = _listed(f"{_arrow(t, s)} ({w})" for t, into in self.streams.items() for s, w in into.items())
        yield f"Encoder {self.encoder.name} makes streams of them: {streams}."
        apart = _listed(f"{m} ({width})" for m, width in self.by_modality.items())
        kept = f", and one representation per modality: {apart}" if apart else ""
        yield f"Fusion {self.fusion.name} makes a joint representation ({self.joint}){kept}."
        yield f"Classifier {self.classifier.name} makes logits, one for each emotion."
        for loss in self.losses:
            yield f"Loss {loss.name} reads labels, {_listed(READ[item] for item in loss.reads)}."


READ = {
    "logits": "logits",
    "joint": "the joint representation",
    "modalities": "one representation per modality",
    "streams": "streams",
}


def flow_of(loaded: Loaded, widths: Mapping[str, int]) -> Flow:
    """Build a recipe's parts without memory, twice, with other widths of the data; what changes depends on the data.

    Args:
        loaded: the recipe.
        widths: of modalities whose width is known.

    Raises:
        InputError: the parts do not fit each other.
    """
    recipe = loaded.recipe
    known = {m: widths.get(m) for m in recipe.modalities}
    trials = [{m: width or base + 2 * i for i, (m, width) in enumerate(known.items())} for base in (101, 211)]
    specs = [_specs(loaded, trial) for trial in trials]
    (streams, fused), (other_streams, other_fused) = specs

    def label(value: int, other: int) -> str:
        if value == other:
            return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if value >= 10_000 else str(value)
        found = [m for m in known if (trials[0][m], trials[1][m]) == (value, other)]
        return f"D {found[0]}" if found else "D"

    into: dict[str, dict[str, str]] = {}
    for stream, width in streams.widths.items():
        into.setdefault(stream.target, {})[stream.source] = label(width, other_streams.widths[stream])
    return Flow(
        name=recipe.name,
        dataset=Part("dataset", recipe.dataset.name, str(getattr(recipe.dataset.config, "path", ""))),
        features={m: label(trials[0][m], trials[1][m]) for m in known},
        transforms=tuple(Part("transform", slot.name) for slot in recipe.transforms),
        encoder=Part("encoder", recipe.encoder.name),
        streams=into,
        fusion=Part("fusion", recipe.fusion.name),
        joint=label(fused.width, other_fused.width),
        by_modality={m: label(w, other_fused.by_modality[m]) for m, w in fused.by_modality.items()},
        classifier=Part("classifier", recipe.classifier.name),
        losses=tuple(
            LossPart("loss", slot.name, name, tuple(_read_by(slot.component))) for name, slot in recipe.losses.items()
        ),
    )


def _specs(loaded: Loaded, widths: Mapping[str, int]) -> tuple[Any, Any]:
    """What encoder and fusion promise. How many emotions there are matters to lists of class weights alone."""
    refused: InputError | None = None
    for labels in sorted(range(2, MOST_LABELS + 1), key=lambda count: count != 6):
        info = DatasetInfo(
            "", tuple(f"emotion {i}" for i in range(labels)), widths, SPEAKERS, class_counts=(1,) * labels
        )
        try:
            with torch.device("meta"), torch.random.fork_rng(devices=[]):
                model = build_learner(loaded, info).model
        except InputError as error:
            refused = refused or error
            continue
        return model.encoder.spec, model.fusion.spec
    assert refused is not None
    raise refused


def _read_by(loss: type[Any]) -> Iterator[str]:
    names = {name.partition(" ")[0] for name in inputs_read(loss)[0]}
    words = {"logits": "logits", "joint": "joint", "modality": "modalities", "stream": "streams"}
    return (word for name, word in words.items() if name in names)


def _arrow(target: str, source: str) -> str:
    return target if target == source else f"{target}←{source}"


def _listed(items: Iterable[str]) -> str:
    return ", ".join(items)
