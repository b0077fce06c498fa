"""The keys of a recipe that no plugin adds to."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from torch import nn

from ercframe.settings import ProtocolSettings, Settings, TrainerSettings

# The kind of component that fills each slot; transforms and losses may be several.
SINGLE_SLOTS = ("dataset", "encoder", "fusion", "classifier")
SLOTS = ("dataset", "transforms", "encoder", "fusion", "classifier", "losses")
KEYS = (
    "extends",
    "name",
    "modalities",
    *SLOTS,
    "trainer",
    "protocol",
    "trackers",
    "demo",
    "ablations",
    "data_help",
    "plugins",
)


NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"


def usable_name(name: str) -> str:
    """Check what a modality or a loss is called: it becomes the name of a PyTorch submodule.

    Raises:
        ValueError: it cannot be that.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(f"must be letters, digits and underscores, a letter first (got '{name}')")
    if hasattr(nn.ModuleDict, name):
        raise ValueError(f"must be another name (got '{name}', which every PyTorch module uses itself)")
    return name


Name = Annotated[str, AfterValidator(usable_name), Field(json_schema_extra={"pattern": NAME_PATTERN})]


def _all_different(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(f"must differ from each other (got '{twice[0]}' more than once)")
    return names


class Frame(Settings):
    """What a recipe says besides its components."""

    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$",
        description="What runs are filed under; the file's stem where it is left out.",
    )
    modalities: Annotated[tuple[Name, ...], AfterValidator(_all_different)] = Field(
        min_length=1, description="Which feature sequences to use; their order is kept everywhere."
    )
    trainer: TrainerSettings = Field(TrainerSettings(), description="How to train.")
    protocol: ProtocolSettings = Field(
        ProtocolSettings(), description="How an epoch is chosen and a number is reported."
    )
    data_help: str = Field("", description="What to tell someone who lacks the data.")


class Weight(Settings):
    """What a recipe says of a loss besides the loss's own settings."""

    weight: Annotated[float, Field(ge=0)] | Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(min_length=1)] = (
        Field(1.0, description="A factor of all the loss's terms, or one for each term; a term left out has 1.")
    )
