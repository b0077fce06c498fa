"""Does a part learn? A short training on generated conversations, whose best possible accuracy is known."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import yaml

from ercframe import recipes
from ercframe.build import Experiment, assemble
from ercframe.components import Component
from ercframe.evaluate import score
from ercframe.training.device import threads
from ercframe.training.loop import fit
from ercframe.training.state import new_state

FORMAT = 1
"""Version of :meth:`Learnt.as_json`; raised when a key changes its meaning or goes away."""

MODALITIES = ("text", "audio", "visual")
PEERS = {
    "encoder": ("identity", "bilstm"),
    "fusion": ("concat", "gated", "hierarchical_gated"),
    "classifier": ("linear", "mlp"),
}
"""What a part of each kind is compared with; these kinds can be tried."""

RECIPE: Mapping[str, Any] = {
    "name": "yardstick",
    "dataset": {"type": "synthetic", "train": 400, "dev": 10, "test": 200},
    "encoder": {"type": "identity", "width": 32},
    "fusion": {"type": "gated"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 10, "batch_dialogues": 16, "device": "cpu", "optimizer": {"name": "adam", "lr": 3e-3}},
    "protocol": {"seeds": 2, "show_gap": False},
}
"""The model around the part: nothing but a linear map of the utterance itself, so that what is learnt is its own."""


@dataclass(frozen=True)
class Row:
    """What was reached with some modalities, as shares of the scored test utterances.

    Attributes:
        modalities: those that there were.
        best_alone: the most that is possible, in expectation, for whoever sees the utterance itself.
        best_dialogue: the same for whoever sees the whole dialogue.
        accuracy: of each part by name, the one that is tried first: of each seed.
    """

    modalities: tuple[str, ...]
    best_alone: float
    best_dialogue: float
    accuracy: Mapping[str, tuple[float, ...]]

    def mean(self, name: str) -> float:
        """Mean over seeds."""
        return fmean(self.accuracy[name])


@dataclass(frozen=True)
class Learnt:
    """A part beside others of its kind, after the same training."""

    kind: str
    name: str
    utterances: int
    rows: tuple[Row, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The part, then what it is compared with."""
        return tuple(self.rows[0].accuracy)

    def verdict(self) -> str:
        """Whether all modalities together are worth more than the best one, beyond two standard errors of such a
        difference, and whether more is reached than an utterance by itself allows."""
        single, every = [row for row in self.rows if len(row.modalities) == 1], self.rows[-1]
        best, reached = max(single, key=lambda row: row.mean(self.name)), every.mean(self.name)
        gain, luck = reached - best.mean(self.name), 2 * (2 * reached * (1 - reached) / self.utterances) ** 0.5
        told = f"{100 * gain:+.1f} points with all modalities against the best one alone, {best.modalities[0]}"
        fuses = f"It fuses: {told}." if gain > luck else f"It does not fuse: {told}; ±{100 * luck:.1f} may be luck."
        heard = reached > every.best_alone + luck
        return fuses + (" It uses the conversation: more than an utterance alone allows." if heard else "")

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "format": FORMAT,
            "generated": True,
            "component": f"{self.kind}/{self.name}",
            "test_utterances": self.utterances,
            "recipe": dict(RECIPE),
            "verdict": self.verdict(),
            "rows": [
                {
                    "modalities": list(row.modalities),
                    "best_alone": row.best_alone,
                    "best_dialogue": row.best_dialogue,
                    "accuracy": {name: list(found) for name, found in row.accuracy.items()},
                }
                for row in self.rows
            ],
        }


def learn(
    component: type[Component],
    *,
    settings: Sequence[str] = (),
    plugin_files: Sequence[Path] = (),
    changes: Sequence[str] = (),
    on_step: Callable[[str], None] = lambda step: None,
) -> Learnt:
    """Train a part, and what it is compared with, on every set of modalities.

    All get the same conversations, seeds, batches and number of epochs; the last epoch counts, so that nothing is
    chosen by a score. Everything is drawn from fixed seeds: the same machine gives the same numbers.

    Args:
        component: an encoder, a fusion or a classifier.
        settings: ``KEY=VALUE``, instead of the first of its example settings.
        plugin_files: where it comes from, if it is not installed.
        changes: ``KEY=VALUE`` of the recipe around it, such as ``trainer.epochs=2``.
        on_step: told in words what is being trained.

    Raises:
        InputError: it cannot be built in this surrounding.
        RunError: a training diverged.
    """
    kind, rows, utterances = component.kind, [], 0
    own = {"type": component.name} | ({} if settings else dict(next(iter(component.example_configs), {})))
    chosen = {component.name: (own, [f"{kind}.{text}" for text in settings])}
    chosen |= {name: ({"type": name}, []) for name in PEERS[kind] if name != component.name}
    for modalities in _subsets():
        accuracy: dict[str, tuple[float, ...]] = {}
        for name, (slot, overrides) in chosen.items():
            on_step(f"{kind} '{name}' on {'+'.join(modalities)}")
            slots = {**RECIPE, "modalities": list(modalities), kind: _slot(kind, slot)}
            experiment = _experiment(slots, [*overrides, *changes], plugin_files)
            # These models are too small for a second thread to help, and sums do not depend on how many there are then.
            with threads(1):
                seeds = experiment.loaded.recipe.protocol.seed_list()
                accuracy[name] = tuple(_trained(experiment, seed) for seed in seeds)
        facts = experiment.info.facts  # of the modalities that this corpus has
        rows.append(Row(modalities, facts["bayes_accuracy_no_context"], facts["bayes_accuracy"], accuracy))
        utterances = sum(int((dialogue.labels >= 0).sum()) for dialogue in experiment.splits.test)
    return Learnt(kind, component.name, utterances, tuple(rows))


def _subsets() -> Iterator[tuple[str, ...]]:
    for size in range(1, len(MODALITIES) + 1):
        yield from itertools.combinations(MODALITIES, size)


def _slot(kind: str, slot: Mapping[str, Any]) -> dict[str, Any]:
    """The part; an encoder that is named alone gets the width of the usual one where it has that setting."""
    usual = RECIPE[kind]
    return {**(usual if usual["type"] == slot["type"] else {}), **slot}


def _experiment(slots: Mapping[str, Any], changes: Sequence[str], plugin_files: Sequence[Path]) -> Experiment:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yardstick.yaml"
        path.write_text(yaml.safe_dump(dict(slots), sort_keys=False), encoding="utf-8")
        return assemble(recipes.load(path, changes, plugin_files=plugin_files))


def _trained(experiment: Experiment, seed: int) -> float:
    """The accuracy on test after the last epoch."""
    device, recipe = torch.device("cpu"), experiment.loaded.recipe
    state = new_state(experiment, seed, device)
    fit(state, experiment)
    size, classes = recipe.trainer.batch_dialogues, len(experiment.info.labels)
    return score(state.scored, experiment.splits.test, size, device, classes).accuracy
