"""What each part of a model promises to the next, known before any tensor exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ercframe.errors import SpecError
from ercframe.tensors import Stream


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a corpus when a model is built.

    Attributes:
        name: name of the corpus.
        labels: emotion names; label ``i`` is ``labels[i]``.
        modalities: feature width of each modality, in the recipe's order.
        speakers: number of speaker ids in use; the id ``speakers`` itself means "unknown".
        splits: number of dialogues of each split.
        class_counts: scored utterances of each emotion in what is trained on, in the order of ``labels``.
        generated: True where the data was drawn from a model rather than collected.
        facts: further shares of 1 worth showing beside a result, such as the Bayes-optimal accuracy of generated data.
    """

    name: str
    labels: tuple[str, ...]
    modalities: Mapping[str, int]
    speakers: int
    splits: Mapping[str, int] = field(default_factory=dict)
    class_counts: tuple[int, ...] = ()
    generated: bool = False
    facts: Mapping[str, float] = field(default_factory=dict)

    def for_each_modality(self, setting: str, value: float | Mapping[str, float]) -> dict[str, float]:
        """A number for every modality, in their order, from a setting that may be one for all or one per modality.

        Args:
            setting: its name, for the error.
            value: one number for all, or a mapping from modality to number; those it leaves out get 0.

        Raises:
            ValueError: the mapping names a modality that the data does not have.
        """
        if not isinstance(value, Mapping):
            return dict.fromkeys(self.modalities, value)
        unknown = ", ".join(f"'{m}'" for m in value if m not in self.modalities)
        if unknown:
            known = ", ".join(self.modalities)
            raise ValueError(f"{setting} must name modalities of the data, {known} (got {unknown})")
        return {m: value.get(m, 0.0) for m in self.modalities}


@dataclass(frozen=True)
class StreamSpec:
    """The streams an encoder emits and the width of each."""

    widths: Mapping[Stream, int]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Target modalities in the encoder's order."""
        return tuple(dict.fromkeys(stream.target for stream in self.widths))

    @property
    def width(self) -> int:
        """The width that all streams share.

        Raises:
            SpecError: their widths differ.
        """
        if len(set(self.widths.values())) != 1:
            raise SpecError("encoder", "streams of one width", self._described())
        return next(iter(self.widths.values()))

    def own_widths(self) -> dict[str, int]:
        """Width of each modality's own stream, in order.

        Raises:
            SpecError: a modality has no stream of its own.
        """
        missing = [m for m in self.modalities if Stream(m, m) not in self.widths]
        if missing:
            raise SpecError("encoder", f"an own stream of {', '.join(missing)}", self._described())
        return {m: self.widths[Stream(m, m)] for m in self.modalities}

    def sources(self, target: str) -> tuple[str, ...]:
        """Modalities that ``target`` listened to: itself first, the others in order."""
        found = [s.source for s in self.widths if s.target == target]
        return tuple(sorted(found, key=lambda source: source != target))

    def _described(self) -> str:
        return ", ".join(f"{stream} ({width})" for stream, width in self.widths.items())


@dataclass(frozen=True)
class FusedSpec:
    """What a fusion emits: width of the joint representation and of each modality's, where kept apart."""

    width: int
    by_modality: Mapping[str, int] = field(default_factory=dict)

    def require_by_modality(self) -> dict[str, int]:
        """Width of each modality's representation.

        Raises:
            SpecError: the fusion keeps none.
        """
        if not self.by_modality:
            raise SpecError("fusion", "one representation per modality", "none")
        return dict(self.by_modality)


@dataclass(frozen=True)
class ModelSpec:
    """What a loss may build on."""

    streams: StreamSpec
    fused: FusedSpec
