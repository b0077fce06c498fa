"""A component with settings, built wherever it can be built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from ercframe.components import Component, ComponentConfig
from ercframe.testing.dataset_checks import DatasetTrial
from ercframe.testing.extractor_checks import ExtractorTrial
from ercframe.testing.importer_checks import ImporterTrial
from ercframe.testing.refusals import is_refusal
from ercframe.testing.scenes import Scene, scenes
from ercframe.testing.tracker_checks import TrackerTrial
from ercframe.testing.transform_checks import TransformTrial
from ercframe.testing.trial import TRIALS
from ercframe.testing.verdicts import ContractError, NotApplicableError

_MAKE: dict[str, Any] = {**TRIALS, "transform": TransformTrial}
"""How to try the kinds that stand in a scene."""


class Subject:
    """A component with settings.

    Args:
        component: its class.
        settings: as a recipe would give them.
        modalities: what a dataset is asked for.
    """

    def __init__(self, component: type[Component], settings: Mapping[str, object], modalities: Sequence[str]) -> None:
        self.component, self.settings, self.modalities = component, dict(settings), tuple(modalities)

    @cached_property
    def config(self) -> ComponentConfig:
        """The settings, validated."""
        try:
            return self.component.Config(**self.settings)
        except ValidationError as error:
            raise ContractError(
                f"Config must accept these settings, from example_configs or the test: {error}"
            ) from error

    @property
    def trials(self) -> tuple[Any, ...]:
        """The component in every scene that it accepts.

        Raises:
            NotApplicableError: it accepts none; ``constructor_builds_or_refuses`` says what it answered.
        """
        if not self.accepted:
            raise NotApplicableError("it builds in no scene")
        return self.accepted

    @cached_property
    def accepted(self) -> tuple[Any, ...]:
        """The component in every scene that it builds in."""
        return self._built[0]

    @cached_property
    def refused(self) -> tuple[tuple[str, Exception], ...]:
        """Every other scene, by name, with what the constructor raised there."""
        return self._built[1]

    def trial_in(self, scene: Scene) -> Any:
        """The component in one scene, not yet built."""
        return _MAKE[self.component.kind](self.component, self.config, scene)

    @cached_property
    def _built(self) -> tuple[tuple[Any, ...], tuple[tuple[str, Exception], ...]]:
        constructor: Any = self.component
        if self.component.kind == "dataset":
            return (DatasetTrial(constructor, self.config, self.modalities),), ()
        if self.component.kind == "extractor":
            return (ExtractorTrial(constructor, self.config),), ()
        if self.component.kind == "importer":
            return (ImporterTrial(constructor, self.config),), ()
        if self.component.kind == "tracker":
            return (TrackerTrial(constructor, self.config),), ()
        accepted, refused = [], []
        for scene in scenes(self.component.kind):
            trial = self.trial_in(scene)
            try:
                trial.build()
            except Exception as error:
                refused.append((scene.name, error))
            else:
                accepted.append(trial)
        return tuple(accepted), tuple(refused)

    def refusals(self) -> dict[str, str]:
        """The scenes that it refused in words, by name."""
        return {name: str(error) for name, error in self.refused if is_refusal(error)}
