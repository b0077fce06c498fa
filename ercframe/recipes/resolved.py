"""A recipe as YAML again, with every default filled in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml

from ercframe import __version__
from ercframe.recipes import core_schema

if TYPE_CHECKING:
    from ercframe.recipes.model import Recipe, Slot


def plain(recipe: Recipe) -> dict[str, Any]:
    """What the results of a recipe come from, as mappings, lists, numbers and text."""
    return {
        "name": recipe.name,
        "modalities": list(recipe.modalities),
        "dataset": _slot(recipe.dataset),
        "transforms": [_slot(slot) for slot in recipe.transforms],
        "encoder": _slot(recipe.encoder),
        "fusion": _slot(recipe.fusion),
        "classifier": _slot(recipe.classifier),
        "losses": {
            name: _slot(slot) | {"weight": slot.weight if isinstance(slot.weight, float | int) else dict(slot.weight)}
            for name, slot in recipe.losses.items()
        },
        "trainer": recipe.trainer.model_dump(mode="json"),
        "protocol": recipe.protocol.model_dump(mode="json"),
    }


def to_yaml(recipe: Recipe, plugins: Sequence[str]) -> str:
    """Write a recipe; ``plugins`` is what to call its plugin files."""
    optional = {
        "trackers": [_slot(slot) for slot in recipe.trackers],
        "demo": dict(recipe.demo),
        "ablations": {name: dict(changes) for name, changes in recipe.ablations.items()},
        "data_help": recipe.data_help,
        "plugins": list(plugins),
    }
    kept = plain(recipe) | {key: value for key, value in optional.items() if value}
    return f"# Every default filled in by ercframe {__version__}.\n{dump(kept)}"


def dump(value: Any, flow: bool | None = None, width: int = 100) -> str:
    """YAML that reads the same under YAML 1.1 and 1.2."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=flow)


def _slot(slot: Slot) -> dict[str, Any]:
    return {"type": slot.name, **slot.config.model_dump(mode="json")}


class _Dumper(yaml.SafeDumper):
    """Quotes text that either version would take for something else; keeps paragraphs as paragraphs."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    if any(character in text for character in "\r\x85\u2028\u2029"):  # other ends of lines, which YAML turns into \n
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
for _tag, _pattern in (("int", core_schema.OCTAL), ("float", core_schema.FLOAT)):
    _Dumper.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern.pattern})$"), list("-+.0123456789")
    )
