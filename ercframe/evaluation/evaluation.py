"""What to evaluate of a run, and the result as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import ercframe
from ercframe.breakdown import breakdown
from ercframe.build import Experiment, assemble
from ercframe.context_dependence import VIEWS
from ercframe.data.dialogue import Dialogue
from ercframe.data.dialogues import all_labels
from ercframe.evaluation.asking import DRAWS, Questions, View
from ercframe.evaluation.calibrating import calibration_section
from ercframe.evaluation.checks import dialogues_of, finished_seeds, modalities_to_drop
from ercframe.evaluation.contexts import WHOLE, context_section
from ercframe.evaluation.found import Found
from ercframe.excerpts import Visible
from ercframe.loading import TrainedRun
from ercframe.protocol import OWN
from ercframe.resumption import require_same_data
from ercframe.robustness import Curve, drop_curves, noise_curves, subsets, without
from ercframe.slices import SpeakersAre, Turns
from ercframe.statistics.confusion import HEADLINE

SCHEMA_VERSION = 3
"""Version of what :meth:`Evaluation.run` returns, which ``evaluation.json`` keeps."""


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
        context: whether to score utterances with parts of their dialogues.
    """

    trained: TrainedRun
    experiment: Experiment
    split: str
    dialogues: Sequence[Dialogue]
    seeds: tuple[int, ...]
    dropped: tuple[str, ...]
    robustness: bool
    context: bool

    @classmethod
    def of(
        cls,
        trained: TrainedRun,
        *,
        split: str = "test",
        seed: int | None = None,
        drop: Sequence[str] = (),
        robustness: bool = False,
        context: bool = False,
    ) -> Evaluation:
        """Open the run's data again and see that all of this can be done.

        Args:
            trained: the run.
            split: dev or test.
            seed: one of its seeds; None for all, of a run that is finished.
            drop: modalities to hide; at least one must be left.
            robustness: see the class.
            context: see the class.

        Raises:
            InputError: it cannot; says why.
        """
        seeds = finished_seeds(trained, seed)
        dropped = modalities_to_drop(drop, trained.loaded.recipe.modalities)
        experiment = assemble(trained.loaded)
        require_same_data(trained.folder, experiment)
        dialogues = dialogues_of(experiment, split)
        return cls(trained, experiment, split, dialogues, seeds, dropped, robustness, context)

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
        views: list[View] = [WHOLE, hidden, *(condition for _, condition in sets)]
        views += [condition for curve in (*drops, *noises) for _, condition in curve.points]
        views += [view for view in VIEWS if view != Visible()] if self.context else []
        found = self._ask(list(dict.fromkeys(views)), device, on_step)
        on_step("intervals over dialogues")
        robustness = {
            "subsets": [{"modalities": list(kept), **found.headline(condition)} for kept, condition in sets],
            "drop_rates": [_curve(curve, "rate", found) for curve in drops],
            "noise_levels": [_curve(curve, "level", found) for curve in noises],
        }
        epochs = zip(self.seeds, found.answers.epochs, strict=True)
        return {
            **self._about(device),
            "seeds": [{"seed": seed, "epoch": epoch} for seed, epoch in epochs],
            "recorded": self._recorded(),
            "full": found.in_full(WHOLE),
            **breakdown(found.turns, found.predicted(WHOLE), found.labels, _speakers_are(self.experiment)),
            "calibration": self._calibration(found),
            "dropped": {"modalities": list(self.dropped), **found.in_full(hidden)} if self.dropped else None,
            "robustness": robustness if self.robustness else None,
            "context": context_section(found) if self.context else None,
        }

    def _ask(self, views: Sequence[View], device: torch.device, on_step: Callable[[str], None]) -> Found:
        questions = Questions(self.trained, self.experiment, self.dialogues, self._for_fitting(), device)
        answers = questions.ask(self.seeds, views, on_step)
        return Found(answers, Turns.of_dialogues(self.dialogues), self.experiment.info.labels)

    def _for_fitting(self) -> Sequence[Dialogue]:
        """Dev, where it is not what is evaluated."""
        return self.experiment.splits.dev if self.split != "dev" else []

    def _calibration(self, found: Found) -> dict[str, Any]:
        dev_label = np.concatenate(
            [np.zeros(0, np.intp), *(x[x >= 0].numpy() for x in all_labels(self._for_fitting()))]
        )
        answers, label = found.answers, found.turns.label[found.scored]
        dialogue = found.turns.dialogue[found.scored]
        return calibration_section(answers.probability, label, dialogue, answers.dev_probability, dev_label)

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
            "test": summary["dataset"].get("test", OWN),
            "selection": summary["selection"],
            "device": str(device),
            "precision": self.trained.precision(device).name,
            "draws_seed": DRAWS,
        }

    def _recorded(self) -> dict[str, Any]:
        """What the run itself recorded of the split."""
        entries = {entry["seed"]: entry["selected"][self.split] for entry in self.trained.summary["seeds"]}
        return {"seeds": [{name: entries[seed][name] for name in HEADLINE} for seed in self.seeds]}


def _curve(curve: Curve, number: str, found: Found) -> dict[str, Any]:
    points = [{number: value, **found.headline(condition)} for value, condition in curve.points]
    return {"modalities": list(curve.modalities), "points": points}


def _speakers_are(experiment: Experiment) -> SpeakersAre:
    """What the speakers' names mean, where the dataset knows."""
    intake = experiment.dataset.intake()
    return intake.speakers.are if intake else None
