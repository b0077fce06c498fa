"""Checks of a component's settings, whatever its kind."""

from __future__ import annotations

import yaml
from pydantic import ValidationError

from ercframe.components import ComponentConfig
from ercframe.data.json_faults import problems_of
from ercframe.testing.verdicts import ContractError, require


def settings_survive_yaml(config: ComponentConfig) -> None:
    """Settings written as YAML and read back must be the same.

    A run keeps its resolved recipe, from which the run can be repeated.
    """
    text = yaml.safe_dump(config.model_dump(mode="json", warnings=False))
    try:
        read = type(config).model_validate(yaml.safe_load(text))
    except ValidationError as error:  # such as a default that is not of its field's type, which nobody else looks at
        told = "; ".join(f"{p.what} {p.message}" for p in problems_of(error))
        raise ContractError(f"settings and their defaults must be valid ({told})") from error
    require(read == config, f"settings must survive YAML: wrote {config!r} (got {read!r})")


def settings_are_strict(config: ComponentConfig) -> None:
    """Settings must be frozen and refuse unknown keys.

    A misspelt key that is taken without a word leaves a default in place, and a result that is not what it says.
    """
    behaviour = type(config).model_config
    require(behaviour.get("frozen") is True, "Config must stay frozen")
    require(
        behaviour.get("extra") == "forbid", f"Config must forbid unknown keys (got extra={behaviour.get('extra')!r})"
    )
