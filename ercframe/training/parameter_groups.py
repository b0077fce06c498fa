"""Which parameters share a learning rate and a weight decay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from ercframe.errors import nearest
from ercframe.model import Learner
from ercframe.settings import OptimizerSettings

REST = "rest"
"""Name of the group of all parameters that no pattern names."""


def parameter_groups(settings: OptimizerSettings, learner: Learner) -> list[dict[str, Any]]:
    """What a PyTorch optimizer takes: parameters with their ``lr`` and ``weight_decay``.

    Each also has a ``name``, its pattern in the settings or :data:`REST`, and ``initial_lr``, from which a schedule
    starts. A pattern has two of them where parameters with a single axis are to keep from decaying.

    Raises:
        ValueError: :func:`group_problems` are there.
    """
    problems = group_problems(settings, learner)
    if problems:
        raise ValueError("; ".join(f"trainer.optimizer.groups.{pattern} {what}" for pattern, what in problems.items()))
    found: list[dict[str, Any]] = []
    named = _by_recipe_name(learner)
    for pattern, group in settings.groups.items():
        chosen = {name: p for name, p in named.items() if _names(pattern, name)}
        named = {name: p for name, p in named.items() if name not in chosen}
        lr = settings.lr if group.lr is None else group.lr
        decay = settings.weight_decay if group.weight_decay is None else group.weight_decay
        found += _groups(pattern, chosen, lr, decay, settings.decay_biases)
    return [*found, *_groups(REST, named, settings.lr, settings.weight_decay, settings.decay_biases)]


def group_problems(settings: OptimizerSettings, learner: Learner) -> dict[str, str]:
    """What is wrong with each pattern of ``groups``: it names nothing, or what another one names, too."""
    names = list(_by_recipe_name(learner))
    taken: dict[str, str] = {}
    problems: dict[str, str] = {}
    for pattern in settings.groups:
        chosen = [name for name in names if _names(pattern, name)]
        twice = [name for name in chosen if name in taken]
        if not chosen:
            hint = nearest(pattern, dict.fromkeys(part for name in names for part in _beginnings(name)))
            problems[pattern] = f"must name parameters of the model or its losses (there are none){hint}"
        elif twice:
            more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
            problems[pattern] = f"must not name what '{taken[twice[0]]}' names, too (got {twice[0]}{more})"
        taken |= dict.fromkeys(chosen, pattern)
    return problems


def _groups(
    name: str, parameters: Mapping[str, nn.Parameter], lr: float, decay: float, decay_biases: bool
) -> Iterator[dict[str, Any]]:
    decaying = {key: p for key, p in parameters.items() if decay_biases or p.dim() > 1}
    spared = {key: p for key, p in parameters.items() if key not in decaying}
    for chosen, weight_decay in ((decaying, decay), (spared, 0.0)):
        if chosen:
            knobs = {"lr": lr, "initial_lr": lr, "weight_decay": weight_decay}
            yield {"params": list(chosen.values()), "name": name, **knobs}


def _by_recipe_name(learner: Learner) -> dict[str, nn.Parameter]:
    """Parameters by names that begin with the recipe's: ``encoder.…``, ``losses.distill.…``."""
    return {
        name.removeprefix("model.").removeprefix("objective."): parameter
        for name, parameter in learner.named_parameters()
    }


def _names(pattern: str, name: str) -> bool:
    """Whether a pattern names a parameter, or a part or module that it is in."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _beginnings(name: str) -> Iterator[str]:
    """``a``, ``a.b`` and ``a.b.c`` of ``a.b.c``."""
    words = name.split(".")
    yield from (".".join(words[:end]) for end in range(1, len(words) + 1))
