"""A component with settings, built wherever it can be built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from ercframe.components import Component, ComponentConfig
from ercframe.errors import InputError, SpecError
from ercframe.testing.dataset_checks import DatasetTrial
from ercframe.testing.scenes import scenes
from ercframe.testing.transform_checks import TransformTrial
from ercframe.testing.trial import TRIALS
from ercframe.testing.verdicts import ContractError


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

    @cached_property
    def trials(self) -> tuple[Any, ...]:
        """The component in every scene that it accepts; at least one."""
        constructor: Any = self.component
        if self.component.kind == "dataset":
            return (DatasetTrial(constructor, self.config, self.modalities),)
        make: Any = TransformTrial if self.component.kind == "transform" else TRIALS[self.component.kind]
        accepted, refused = [], []
        for scene in scenes(self.component.kind):
            trial = make(constructor, self.config, scene)
            try:
                trial.build()
            except (SpecError, InputError, ValueError) as error:
                refused.append(f"{scene.name}: {error}")
            else:
                accepted.append(trial)
        if not accepted:
            raise ContractError("the component must build in some scene; refused:\n  " + "\n  ".join(refused))
        return tuple(accepted)
