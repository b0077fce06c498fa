"""The space of a search: a small YAML file that says of each setting what may be tried."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ercframe.errors import InputError
from ercframe.recipes.fields import in_yaml
from ercframe.recipes.files import read_text
from ercframe.recipes.overrides import is_key
from ercframe.recipes.settings_check import check_settings
from ercframe.recipes.sources import Finding, Place, SourceMap, shown
from ercframe.recipes.yaml_tree import Node, parse, written
from ercframe.settings import Settings
from ercframe.sweep.plan import Source

KINDS = ("float", "int", "categorical")


class Range(Settings):
    """Numbers between two bounds, both included."""

    type: Literal["float", "int"] = Field(description="Which numbers.")
    low: float = Field(description="The least.")
    high: float = Field(description="The greatest.")
    log: bool = Field(False, description="Whether the logarithm is drawn evenly.")
    step: float | None = Field(None, gt=0, description="Distance of two values; null for 1 of int, any of float.")

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low must be below high (got {self.low:g} and {self.high:g})")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("with log, low must be above 0 and step left out")
        if self.type == "int" and any(x != int(x) for x in (self.low, self.high, self.step or 1)):
            raise ValueError("low, high and step of int must be whole numbers")
        return self

    def extremes(self) -> list[Any]:
        """What to try on the recipe."""
        return [int(x) if self.type == "int" else x for x in (self.low, self.high)]


class Choices(Settings):
    """One of several values."""

    type: Literal["categorical"] = Field(description="One of several values.")
    choices: Annotated[tuple[str | bool | int | float | None, ...], Field(min_length=2)] = Field(
        description="The values: text, numbers, true, false or null."
    )

    def extremes(self) -> list[Any]:
        """What to try on the recipe."""
        return list(self.choices)


Parameter = Range | Choices


def read_space(path: Path, source: Source) -> dict[str, Parameter]:
    """Read a space and try the ends of every range, and every choice, on the recipe.

    Raises:
        InputError: the file or the recipe cannot be read, or something in the space is wrong; lists every problem.
    """
    root, findings = parse(read_text(path), Place(shown(path), 1, 1))
    if not root.children:
        message = f"must be a mapping, a dotted key and {{type: …}} for each setting (got {written(root.value)})"
        raise SourceMap(shown(path)).error([*findings, Finding(root.place, "", message)])
    source.load({})
    space: dict[str, Parameter] = {}
    for key, node in root.children.items():
        found, problems = _parameter(key, node)
        findings += problems
        if found is not None:
            space[key] = found
            findings += _on_recipe(key, found, node, source)
    if findings:
        raise SourceMap(shown(path)).error(findings)
    return space


def _parameter(key: str, node: Node) -> tuple[Parameter | None, list[Finding]]:
    chosen = node.children.get("type")
    if not is_key(key) or chosen is None or chosen.value not in KINDS:
        message = f"must be a dotted key and {{type: …}}, one of {', '.join(KINDS)}"
        return None, [Finding(node.key_place or node.place, key, message)]
    if key.partition(".")[0] == "protocol":
        message = "must be no setting of the protocol: trials that score dev in different ways cannot be compared by it"
        return None, [Finding(node.key_place or node.place, key, message)]
    model: type[Range] | type[Choices] = Choices if chosen.value == "categorical" else Range
    return check_settings(model, key, node)


def _on_recipe(key: str, parameter: Parameter, node: Node, source: Source) -> list[Finding]:
    """What the recipe has against a setting: told of the first value that it does not take."""
    for value in parameter.extremes():
        try:
            source.load({key: in_yaml(value)})
        except InputError as error:
            return [Finding(node.place, p.what or key, p.message) for p in error.problems] or [
                Finding(node.place, key, error.title)
            ]
    return []


def as_json(space: Mapping[str, Parameter]) -> dict[str, Any]:
    """A space as the study keeps it."""
    return {key: parameter.model_dump(mode="json") for key, parameter in space.items()}
