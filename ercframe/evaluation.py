"""Evaluating again what a run trained: with modalities hidden, and over every set, share and level of noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

import ercframe
from ercframe.build import Experiment, assemble
from ercframe.conditions import Condition, Shown
from ercframe.data.dialogue import Dialogue
from ercframe.errors import InputError, nearest
from ercframe.evaluate import score
from ercframe.loading import TrainedRun
from ercframe.metrics import HEADLINE, Scores
from ercframe.resumption import require_same_data
from ercframe.robustness import Curve, drop_curves, noise_curves, subsets, without
from ercframe.summary import scores_in_full, spread
from ercframe.training.device import deterministic

SCHEMA_VERSION = 1
"""Version of what :meth:`Evaluation.run` returns, which ``evaluation.json`` keeps."""
DRAWS = 0
"""Seed of what is hidden at random and of the noise: the same for every run, so that runs can be compared."""

Found = Mapping[Condition, Sequence[Scores]]


@dataclass(frozen=True)
class Evaluation:
    """What to score of a run, checked; :meth:`run` does it.

    Attributes:
        trained: the run.
        experiment: its recipe with its data, which is that of the training.
        split: dev or test.
        dialogues: those of the split.
        seeds: whose chosen epochs to score.
        dropped: modalities to hide.
        robustness: whether to go through every set of modalities, share hidden and level of noise.
    """

    trained: TrainedRun
    experiment: Experiment
    split: str
    dialogues: Sequence[Dialogue]
    seeds: tuple[int, ...]
    dropped: tuple[str, ...]
    robustness: bool

    @classmethod
    def of(
        cls,
        trained: TrainedRun,
        *,
        split: str = "test",
        seed: int | None = None,
        drop: Sequence[str] = (),
        robustness: bool = False,
    ) -> Evaluation:
        """Open the run's data again and see that all of this can be done.

        Args:
            trained: the run.
            split: dev or test.
            seed: one of its seeds; None for all, of a run that is finished.
            drop: modalities to hide; at least one must be left.
            robustness: see the class.

        Raises:
            InputError: it cannot; says why.
        """
        seeds = _seeds(trained, seed)
        dropped = _dropped(drop, trained.loaded.recipe.modalities)
        experiment = assemble(trained.loaded)
        require_same_data(trained.folder, experiment)
        return cls(trained, experiment, split, _dialogues(experiment, split), seeds, dropped, robustness)

    def run(self, device: torch.device, on_step: Callable[[str], None] = lambda step: None) -> dict[str, Any]:
        """Score every condition with every seed.

        Args:
            device: where to compute.
            on_step: told what is being done.

        Returns:
            What ``evaluation.json`` keeps; docs/evaluation.md describes it.
        """
        modalities = self.experiment.loaded.recipe.modalities
        sets = list(subsets(modalities)) if self.robustness else []
        drops, noises = (list(curves(modalities)) if self.robustness else [] for curves in (drop_curves, noise_curves))
        hidden = without(self.dropped)
        wanted = [Condition(), hidden, *(condition for _, condition in sets)]
        wanted += [condition for curve in (*drops, *noises) for _, condition in curve.points]
        epochs, found = self._score(list(dict.fromkeys(wanted)), device, on_step)
        robustness = {
            "subsets": [{"modalities": list(kept), **_headline(found[condition])} for kept, condition in sets],
            "drop_rates": [_curve(curve, "rate", found) for curve in drops],
            "noise_levels": [_curve(curve, "level", found) for curve in noises],
        }
        return {
            **self._about(device),
            "seeds": [{"seed": seed, "epoch": epoch} for seed, epoch in zip(self.seeds, epochs, strict=True)],
            "recorded": self._recorded(),
            "full": _in_full(found[Condition()]),
            "dropped": {"modalities": list(self.dropped), **_in_full(found[hidden])} if self.dropped else None,
            "robustness": robustness if self.robustness else None,
        }

    def _score(
        self, conditions: Sequence[Condition], device: torch.device, on_step: Callable[[str], None]
    ) -> tuple[list[int], Found]:
        """The epoch of each seed, and for each condition the scores of each seed."""
        experiment, epochs = self.experiment, list[int]()
        trainer, labels = experiment.loaded.recipe.trainer, experiment.info.labels
        precision = self.trained.precision(device)
        found: dict[Condition, list[Scores]] = {condition: [] for condition in conditions}
        with deterministic(trainer.deterministic), precision.matmuls(), precision.autocast():
            for seed in self.seeds:
                learner, epoch = self.trained.learner(seed, experiment.info, device)
                epochs.append(epoch)
                for done, condition in enumerate(conditions, 1):
                    on_step(f"seed {seed}: {done} of {len(conditions)}")
                    shown = Shown(self.dialogues, condition, DRAWS)
                    found[condition].append(score(learner, shown, trainer.batch_dialogues, device, len(labels)))
        return epochs, found

    def _about(self, device: torch.device) -> dict[str, Any]:
        summary, info = self.trained.summary, self.experiment.info
        return {
            "schema_version": SCHEMA_VERSION,
            "ercframe": ercframe.__version__,
            "recipe": summary["recipe"],
            "dataset": {"name": info.name, "generated": info.generated},
            "split": self.split,
            "labels": list(info.labels),
            "modalities": list(info.modalities),
            "selection": summary["selection"],
            "device": str(device),
            "precision": self.trained.precision(device).name,
            "draws_seed": DRAWS,
        }

    def _recorded(self) -> dict[str, Any]:
        """What the run itself recorded of the split."""
        entries = {entry["seed"]: entry["selected"][self.split] for entry in self.trained.summary["seeds"]}
        return {"seeds": [{name: entries[seed][name] for name in HEADLINE} for seed in self.seeds]}


def _seeds(trained: TrainedRun, asked: int | None) -> tuple[int, ...]:
    """The seeds to evaluate; none that is not trained to its end."""
    seeds = trained.seeds if asked is None else (trained.choose_seed(asked).seed,)
    unfinished = [entry["seed"] for entry in trained.summary["seeds"] if not entry["finished"]]
    status = trained.summary["status"]
    if (asked is None and status != "finished") or asked in unfinished:
        whole = [seed for seed in trained.seeds if seed not in unfinished]
        one = f"\nTo evaluate one of its finished seeds, {', '.join(map(str, whole))}: --seed N" if whole else ""
        what = "the run" if asked is None else f"seed {asked} of the run"
        raise InputError(
            f"{what} in {trained.folder.path} must be finished (it is {status})",
            help=f"To go on with it: ercframe run {trained.folder.path} --resume{one}",
        )
    return seeds


def _dropped(drop: Sequence[str], modalities: Sequence[str]) -> tuple[str, ...]:
    unknown = [f"'{m}'{nearest(m, modalities)}" for m in dict.fromkeys(drop) if m not in modalities]
    if unknown:
        raise InputError(f"--drop must name modalities of the run, {', '.join(modalities)} (got {', '.join(unknown)})")
    if set(drop) == set(modalities):
        raise InputError(f"--drop must leave a modality of the run, {', '.join(modalities)} (got all of them)")
    return tuple(m for m in modalities if m in drop)


def _dialogues(experiment: Experiment, split: str) -> Sequence[Dialogue]:
    splits = {"dev": experiment.splits.dev, "test": experiment.splits.test}
    if split not in splits:
        raise InputError(f"--split must be dev or test (got '{split}')")
    if not splits[split]:
        raise InputError(f"--split {split}: the run has {experiment.splits.dev_origin}")
    return splits[split]


def _headline(scores: Sequence[Scores]) -> dict[str, Any]:
    """The single numbers, of each seed and over the seeds."""
    return {"seeds": [found.headline() for found in scores], "over_seeds": _over_seeds(scores)}


def _in_full(scores: Sequence[Scores]) -> dict[str, Any]:
    return {"seeds": [scores_in_full(found) for found in scores], "over_seeds": _over_seeds(scores)}


def _over_seeds(scores: Iterable[Scores]) -> dict[str, Any]:
    headlines = [found.headline() for found in scores]
    return {name: spread(headline[name] for headline in headlines) for name in HEADLINE}


def _curve(curve: Curve, number: str, found: Found) -> dict[str, Any]:
    points = [{number: value, **_headline(found[condition])} for value, condition in curve.points]
    return {"modalities": list(curve.modalities), "points": points}
