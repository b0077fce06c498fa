"""From a recipe to a dataset and a model: every mismatch between parts is found here, before training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ercframe.blame import blame
from ercframe.components import Component, Dataset, Transform
from ercframe.data.dialogues import outlines
from ercframe.errors import InputError, Problem, SpecError
from ercframe.model import Learner, Model
from ercframe.objective import Objective
from ercframe.protocol import Splits, count_classes, divide
from ercframe.recipes import Loaded, Slot
from ercframe.recipes.sources import COMMAND_LINE
from ercframe.registry import Registry
from ercframe.specs import DatasetInfo, ModelSpec


@dataclass(frozen=True)
class Experiment:
    """All that a run needs: the recipe, its data divided by the protocol, and how to build its learner."""

    loaded: Loaded
    dataset: Dataset
    info: DatasetInfo
    splits: Splits
    transforms: tuple[Transform, ...]

    def learner(self) -> Learner:
        """A freshly initialised model with its losses; seed PyTorch before calling."""
        return build_learner(self.loaded, self.info)


def assemble(loaded: Loaded) -> Experiment:
    """Open the data of a recipe, divide it and check that its parts fit each other.

    Raises:
        InputError: the data is missing or unsuitable, or a component cannot build on what comes before it.
    """
    recipe = loaded.recipe
    dataset, splits = _divided(loaded, open_dataset(loaded))
    info = replace(dataset.info, class_counts=count_classes(splits.train, len(dataset.info.labels)))
    if recipe.protocol.test_groups:
        info = replace(info, facts={})  # they are of the corpus's own test
    transforms = tuple(
        _construct(loaded, f"transforms[{i}]", slot, partial(_new, slot, info))
        for i, slot in enumerate(recipe.transforms)
    )
    with shapes_only():
        build_learner(loaded, info)
    return Experiment(loaded, dataset, info, splits, transforms)


@contextmanager
def shapes_only() -> Iterator[None]:
    """A block in which parts are built with shapes and specs alone: no memory, no random numbers."""
    with torch.device("meta"), _NoDraws():
        yield


class _NoDraws(TorchFunctionMode):
    """Leaves out ``normal_``: a tensor on ``meta`` has no values to draw, and drawing them there first imports
    PyTorch's whole compiler, which takes a second and a half."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") == "normal_":
            tensor = args[0] if args else (kwargs or {})["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **(kwargs or {}))


def build_learner(loaded: Loaded, info: DatasetInfo) -> Learner:
    """Build the model and the losses of a recipe for a corpus.

    Raises:
        InputError: a component cannot build on what comes before it; names both and the alternatives.
    """
    model, recipe, chain = build_model(loaded, info), loaded.recipe, _Chain(loaded, info)
    spec = ModelSpec(model.encoder.spec, model.fusion.spec)
    losses = {name: chain.build(f"losses.{name}", slot, spec) for name, slot in recipe.losses.items()}
    return Learner(model, Objective(losses, {name: slot.weight for name, slot in recipe.losses.items()}))


def build_model(loaded: Loaded, info: DatasetInfo) -> Model:
    """Build the model of a recipe for a corpus, without the losses.

    Raises:
        InputError: a component cannot build on what comes before it; names both and the alternatives.
    """
    recipe, chain = loaded.recipe, _Chain(loaded, info)
    encoder = chain.build("encoder", recipe.encoder)
    fusion = chain.build("fusion", recipe.fusion, encoder.spec)
    return Model(encoder, fusion, chain.build("classifier", recipe.classifier, fusion.spec))


def _divided(loaded: Loaded, dataset: Dataset) -> tuple[Dataset, Splits]:
    """The dataset and its splits; where these are not the corpus's own, nothing in it was learnt from test."""
    protocol = loaded.recipe.protocol
    try:
        splits = divide(dataset, protocol)
        if protocol.test_groups:
            dataset = dataset.fitted_on({dialogue.id for dialogue in outlines(splits.train)})
            splits = divide(dataset, protocol)
    except InputError as error:
        located = [replace(p, where=loaded.sources.where(p.what)) for p in error.problems]
        raise InputError(error.title, located, error.help) from error
    return dataset, splits


def open_dataset(loaded: Loaded) -> Dataset:
    """Open the data of a recipe.

    Raises:
        InputError: it is missing or damaged, or its settings do not fit it.
    """
    slot = loaded.recipe.dataset
    try:
        dataset: Dataset = _construct(loaded, "dataset", slot, partial(_new, slot, loaded.recipe.modalities))
    except InputError as error:
        raise InputError(error.title, error.problems, error.help or _way_to_the_data(loaded)) from error
    return dataset


def _way_to_the_data(loaded: Loaded) -> str:
    """What the recipe says of its data; of a path that the command line names it knows nothing."""
    if loaded.sources.place("dataset.path") == COMMAND_LINE:
        return f"A bundle is a folder that `ercframe data import` makes. Paths are relative to {Path.cwd()}."
    demo = "\nAdd --demo to see the recipe on generated conversations first." if loaded.recipe.demo else ""
    return loaded.recipe.data_help and loaded.recipe.data_help.rstrip() + demo


@dataclass(frozen=True)
class _Chain:
    """Builds parts one after the other and explains where one does not fit what comes before it."""

    loaded: Loaded
    info: DatasetInfo

    def build(self, where: str, slot: Slot, *before: Any) -> Any:
        try:
            return _construct(self.loaded, where, slot, partial(_new, slot, self.info, *before))
        except SpecError as error:
            raise self._mismatch(where, slot, error) from error

    def _mismatch(self, where: str, slot: Slot, error: SpecError) -> InputError:
        provider: Slot = getattr(self.loaded.recipe, error.provider)
        message = (
            f"{slot.component.kind} '{slot.name}' needs {error.needs}; "
            f"{error.provider} '{provider.name}' provides {error.got}"
        )
        others = ", ".join(self._providers(error.provider, slot))
        if others:
            message += f". {error.provider.capitalize()}s that do: {others}"
        return InputError(
            f"the parts of '{self.loaded.recipe.name}' do not fit", [_problem(self.loaded, where, message)]
        )

    def _providers(self, kind: str, consumer: Slot) -> Iterator[str]:
        """Components which, with their default settings, ``consumer`` could build on."""
        recipe = self.loaded.recipe
        for name in self.loaded.registry.names(kind):
            candidate = _default_slot(self.loaded.registry, kind, name)
            if candidate and name != getattr(recipe, kind).name and self._would_fit(kind, candidate, consumer):
                yield name

    def _would_fit(self, kind: str, candidate: Slot, consumer: Slot) -> bool:
        recipe = self.loaded.recipe
        try:
            with shapes_only():
                encoder = _new(candidate if kind == "encoder" else recipe.encoder, self.info)
                if consumer.component.kind == "fusion":
                    _new(consumer, self.info, encoder.spec)
                    return True
                fusion = _new(candidate if kind == "fusion" else recipe.fusion, self.info, encoder.spec)
                spec = ModelSpec(encoder.spec, fusion.spec)
                _new(consumer, self.info, spec if consumer.component.kind == "loss" else fusion.spec)
                return True
        except Exception:  # a trial of a foreign constructor: whatever it raises, it is no suggestion
            return False


def _new(slot: Slot, *arguments: Any) -> Any:
    constructor: Callable[..., Component] = slot.component
    return constructor(slot.config, *arguments)


def _default_slot(registry: Registry, kind: str, name: str) -> Slot | None:
    """A component with its default settings; None where it has fields without a default."""
    component = registry.get(kind, name)
    if any(field.is_required() for field in component.Config.model_fields.values()):
        return None
    return Slot(component, component.Config())


def _construct(loaded: Loaded, where: str, slot: Slot, make: Callable[[], Any]) -> Any:
    """Make a component. A ValueError is about its settings; anything else is a fault of its code, told with place."""
    try:
        return make()
    except (InputError, SpecError):
        raise
    except Exception as error:
        told = str(error) if isinstance(error, ValueError) else f"cannot be built: {blame(error)}"
        message = f"{slot.component.kind} '{slot.name}': {told}"
        raise InputError(
            f"the parts of '{loaded.recipe.name}' do not fit", [_problem(loaded, where, message)]
        ) from error


def _problem(loaded: Loaded, where: str, message: str) -> Problem:
    return Problem(loaded.sources.where(where), where, message)
