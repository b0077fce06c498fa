"""Whether a program computes what its model computes, on real dialogues."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ercframe.build import Experiment
from ercframe.conditions import Condition, Shown
from ercframe.data.dialogue import Dialogue
from ercframe.errors import InputError, RunError
from ercframe.evaluate import batches
from ercframe.exported import Agreement
from ercframe.model import Model
from ercframe.wording import counted

# Shape letters: L turns of a dialogue, D features, C emotions.

TOLERANCE = 1e-4
"""How far a logit of a program may be from the model's; float32 sums in another order differ by less."""
MOST = 50
"""Dialogues that are compared, spread evenly over the split."""

Run = Callable[[Mapping[str, Tensor], Tensor, Mapping[str, Tensor]], Tensor]
"""Runs a program: features, speakers and availability of a dialogue to logits."""


@dataclass(frozen=True)
class Cases:
    """Dialogues and what the model says of them, computed in batches as in evaluation.

    Attributes:
        split: where they are from.
        dialogues: how many of the split.
        pairs: these as they are, with half of each modality hidden, and some cut to their first one and two turns; each
            with the model's logits, ``(L, C)``.
    """

    split: str
    dialogues: int
    pairs: Sequence[tuple[Dialogue, Tensor]]

    @classmethod
    def of(cls, model: Model, experiment: Experiment) -> Cases:
        """Take the test split, or the first that there is of dev and train.

        Args:
            model: in evaluation mode, on the host.
            experiment: the run's data.

        Raises:
            InputError: the model puts out NaN.
        """
        splits = experiment.splits
        named: dict[str, Sequence[Dialogue]] = {"test": splits.test, "dev": splits.dev, "train": splits.train}
        split, every = next((name, found) for name, found in named.items() if len(found))
        step = max(1, math.ceil(len(every) / MOST))
        chosen = [every[i] for i in range(0, len(every), step)]
        half = Condition.of(hidden=dict.fromkeys(experiment.info.modalities, 0.5))
        short = [_first(dialogue, turns) for dialogue in chosen[:3] for turns in (1, 2)]
        shown = [*chosen, *Shown(chosen, half), *short]
        size = experiment.loaded.recipe.trainer.batch_dialogues
        logits = [y_LC for batch in _logits(model, shown, size) for y_LC in batch]
        if any(bool(y_LC.isnan().any()) for y_LC in logits):
            raise InputError("the model puts out NaN: its training went wrong; take another seed")
        return cls(split, len(chosen), list(zip(shown, logits, strict=True)))

    def agreement(self, run: Run) -> Agreement:
        """Compare a program with the model.

        Raises:
            RunError: it fails, or differs by more than :data:`TOLERANCE`.
        """
        difference = 0.0
        for dialogue, expected_LC in self.pairs:
            try:
                found_LC = run(dialogue.features, dialogue.speaker, dialogue.available)
            except Exception as error:  # whatever a runtime raises
                first = (str(error).strip().splitlines() or [""])[0][:300]
                raise RunError(f"it fails on a dialogue of {counted(len(dialogue), 'turn')}: {first}") from error
            difference = max(difference, _difference(found_LC, expected_LC))
        if not difference <= TOLERANCE:
            raise RunError(
                f"its logits must differ from the model's by at most {TOLERANCE:g} (got {difference:.2g}), "
                "so it is not written"
            )
        return Agreement(
            difference=difference,
            tolerance=TOLERANCE,
            split=self.split,
            dialogues=self.dialogues,
            turns=sum(len(dialogue) for dialogue, _ in self.pairs),
            longest=max(len(dialogue) for dialogue, _ in self.pairs),
        )


@torch.no_grad()
def _logits(model: Model, dialogues: Sequence[Dialogue], size: int) -> Iterator[tuple[Tensor, ...]]:
    """Of each dialogue of each batch, ``(L, C)``."""
    for batch in batches(dialogues, size):
        logits_NC = model(batch.features, batch.context).decision.logits
        yield logits_NC.split(batch.context.layout.sizes)


def _first(dialogue: Dialogue, turns: int) -> Dialogue:
    """The dialogue as if it ended after these turns."""
    return replace(
        dialogue,
        features={name: x_LD[:turns] for name, x_LD in dialogue.features.items()},
        available={name: has_L[:turns] for name, has_L in dialogue.available.items()},
        targets={name: x_LK[:turns] for name, x_LK in dialogue.targets.items()},
        speaker=dialogue.speaker[:turns],
        labels=dialogue.labels[:turns],
        utterances=dialogue.utterances[:turns],
    )


def _difference(found: Tensor, expected: Tensor) -> float:
    """Largest absolute difference; infinite where shapes differ or only one is infinite or NaN."""
    if found.shape != expected.shape:
        return math.inf
    differs = found != expected  # an infinity equals itself, but their difference is NaN
    gap = (found - expected).abs()[differs]
    return float(gap.nan_to_num(nan=math.inf, posinf=math.inf).max()) if len(gap) else 0.0
