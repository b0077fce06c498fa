"""What every component has: a kind, a name, a ``Config`` and what it says of itself to the contract suite."""

from __future__ import annotations

import inspect
from abc import ABC
from collections.abc import Mapping, Sequence
from typing import ClassVar

from ercframe.settings import Settings


class ComponentConfig(Settings):
    """Base of every component's ``Config``: frozen, unknown keys refused, each field with a description."""


class Component(ABC):
    """Anything a plugin provides.

    Attributes:
        kind: the slot it fills; set by the bases below.
        name: what a recipe calls it; lower case, unique in its kind.
        Config: its knobs. Every field has a ``description``; defaults and bounds belong there too.
        known_exceptions: checks of the contract suite that it is known to fail, each with the reason. It says so
            wherever it is checked; one that it passes is an error.
        example_configs: small settings that the contract suite tries, one for each way of working worth trying.
            The default suits a component that is quick, and works, with nothing set. They meet corpora with the
            modalities ``text``, ``audio`` and ``visual``, or the first of these, and four emotions.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    Config: ClassVar[type[ComponentConfig]] = ComponentConfig
    known_exceptions: ClassVar[Mapping[str, str]] = {}
    example_configs: ClassVar[Sequence[Mapping[str, object]]] = ({},)

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]
