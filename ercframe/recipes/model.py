"""A recipe after loading: every slot filled, every default in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ercframe.components import Component, ComponentConfig
from ercframe.recipes.resolved import to_yaml
from ercframe.recipes.sources import SourceMap
from ercframe.registry import Registry
from ercframe.settings import ProtocolSettings, TrainerSettings


@dataclass(frozen=True)
class Slot:
    """One component chosen by a recipe, with its settings (an instance of ``component.Config``)."""

    component: type[Component]
    config: ComponentConfig

    @property
    def name(self) -> str:
        """What the recipe calls the component."""
        return self.component.name


@dataclass(frozen=True)
class LossSlot(Slot):
    """A loss and what it weighs: one number for all its terms, or one for each name in ``component.terms``."""

    weight: float | Mapping[str, float]


@dataclass(frozen=True)
class Recipe:
    """Everything an experiment consists of.

    Attributes:
        name: the file's stem, such as ``"sdt_iemocap"``, unless the file says ``name:``.
        modalities: in the order that every part keeps.
        dataset: where the conversations come from.
        transforms: changes of training batches, in the order they are applied.
        encoder: features to streams.
        fusion: streams to a joint representation.
        classifier: the joint representation to logits.
        losses: by the name that reports use.
        trainer: how to train.
        protocol: how an epoch is chosen and a number is reported.
        trackers: who else is told of a run.
        data_help: what to tell someone who lacks the data; may be empty.
        demo: what ``--demo`` changes beside the data: dotted key to value.
        ablations: what ``ercframe ablate`` trains beside the recipe: by name, dotted key to value.
        plugin_files: loose plugin files the recipe needs.
    """

    name: str
    modalities: tuple[str, ...]
    dataset: Slot
    transforms: tuple[Slot, ...]
    encoder: Slot
    fusion: Slot
    classifier: Slot
    losses: Mapping[str, LossSlot]
    trainer: TrainerSettings
    protocol: ProtocolSettings
    trackers: tuple[Slot, ...]
    data_help: str
    demo: Mapping[str, Any]
    ablations: Mapping[str, Mapping[str, Any]]
    plugin_files: tuple[Path, ...]

    def to_yaml(self, plugins: Sequence[str] | None = None) -> str:
        """The recipe as YAML with every default filled in; ``ercframe run`` on it repeats the run.

        Args:
            plugins: what to call :attr:`plugin_files`, where they are copied beside the recipe; their absolute
                paths where it is left out.
        """
        return to_yaml(self, [str(file.resolve()) for file in self.plugin_files] if plugins is None else plugins)


@dataclass(frozen=True)
class Loaded:
    """A recipe, and what loading it found out.

    Attributes:
        recipe: the recipe.
        registry: the components that were available to it.
        notices: what the user should be told, such as that an installed recipe was taken.
        sources: where each value was written, for errors that only building the model can find.
    """

    recipe: Recipe
    registry: Registry
    notices: tuple[str, ...]
    sources: SourceMap
