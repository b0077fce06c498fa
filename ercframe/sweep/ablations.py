"""The trials of an ablation: the recipe as it is, and once for everything that is taken out."""

from __future__ import annotations

from collections.abc import Sequence

from ercframe.errors import InputError, Problem, nearest
from ercframe.recipes import Recipe
from ercframe.recipes.ablations import FULL
from ercframe.recipes.fields import in_yaml
from ercframe.sweep.plan import Changes, Source


def ablations(source: Source, only: Sequence[str] = ()) -> tuple[dict[str, Changes], list[str]]:
    """The trials of a recipe's ``ablations:``, the recipe itself first, which the others are compared with.

    Left out are those with a modality that the recipe, changed for the whole sweep, no longer has.

    Args:
        source: the recipe, whose changes hold for all trials.
        only: names to choose; none for all.

    Returns:
        Changes by name, and why others were left out.

    Raises:
        InputError: the recipe is wrong or has no ablations, or a name is unknown.
    """
    recipe = source.load({}).recipe
    found = {
        name: {key: in_yaml(value) for key, value in changes.items()} for name, changes in recipe.ablations.items()
    }
    _require_known(recipe, only)
    settings: dict[str, Changes] = {FULL: {}}
    notices = []
    for name, changes in found.items():
        if only and name not in only:
            continue
        if lacking := [m for m in _named_modalities(recipe, name) if m not in recipe.modalities]:
            what = "modality" if len(lacking) == 1 else "modalities"
            notices.append(f"{name} is left out: the recipe has no {what} {', '.join(lacking)} now")
        else:
            settings[name] = changes
    return settings, notices


def _require_known(recipe: Recipe, only: Sequence[str]) -> None:
    if not recipe.ablations:
        raise InputError(
            f"recipe '{recipe.name}' must have an ablations: section (it has none)",
            help="It names what to change, as in\n  ablations:\n    no_speaker: {encoder.speaker_embedding: false}",
        )
    known = [FULL, *recipe.ablations]
    unknown = [name for name in only if name not in known]
    if unknown:
        raise InputError(
            "--only must name ablations of the recipe",
            [Problem("", name, f"unknown{nearest(name, known)}") for name in unknown],
            f"Ablations: {', '.join(known)}",
        )


def _named_modalities(recipe: Recipe, name: str) -> list[str]:
    named = recipe.ablations[name].get("modalities", [])
    return named if isinstance(named, list) else []
