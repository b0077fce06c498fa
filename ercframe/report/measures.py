"""The numbers of a report: from the predictions of every seed of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.report.material import RunMaterial, SeedMaterial
from ercframe.statistics.bootstrap import Floats
from ercframe.statistics.confusion import HEADLINE, class_f1, confusion_by, headline
from ercframe.statistics.over_seeds import Estimate, estimates

# Shape letters: N scored turns, B dialogues, S seeds, C emotions, M modalities, R resamples.


@dataclass(frozen=True)
class Scored:
    """The predictions of a run's concluded seeds for the turns of test, in one order.

    Attributes:
        run: whose they are.
        dialogues: ids, in order of appearance.
        turn_dialogue: number of each turn's dialogue, ``(N,)``.
        label: what is true, ``(N,)``.
        predicted: what each seed says, ``(S, N)``.
    """

    run: RunMaterial
    dialogues: Sequence[str]
    turn_dialogue: NDArray[np.intp]
    label: NDArray[np.intp]
    predicted: NDArray[np.intp]

    @classmethod
    def of(cls, run: RunMaterial) -> Scored:
        """Put the seeds' predictions beside each other.

        Raises:
            ValueError: they are not for the same turns, or of unknown emotions.
        """
        first = run.concluded[0].test
        turns = [(row["dialogue"], row["utterance"], row["label"]) for row in first]
        for seed in run.concluded[1:]:
            if [(row["dialogue"], row["utterance"], row["label"]) for row in seed.test] != turns:
                raise ValueError(f"seed {seed.seed} has predictions for other turns than seed {run.concluded[0].seed}")
        dialogues = list(dict.fromkeys(dialogue for dialogue, _, _ in turns))
        number = {dialogue: i for i, dialogue in enumerate(dialogues)}
        labels = list(run.labels)
        return cls(
            run,
            dialogues,
            np.array([number[dialogue] for dialogue, _, _ in turns], dtype=np.intp),
            np.array([labels.index(label) for _, _, label in turns], dtype=np.intp),
            np.array([[labels.index(row["prediction"]) for row in seed.test] for seed in run.concluded], dtype=np.intp),
        )

    @property
    def counts(self) -> NDArray[np.int64]:
        """Confusion counts of each dialogue and seed, ``(B, S, C, C)``; rows are labels."""
        shape = len(self.dialogues), len(self.run.labels)
        of_seeds = [confusion_by(self.turn_dialogue, self.label, predicted_N, shape) for predicted_N in self.predicted]
        return np.stack(of_seeds, axis=1)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each seed is right of each turn, ``(S, N)``."""
        right_SN: NDArray[np.bool_] = self.predicted == self.label
        return right_SN


def scores(scored: Scored) -> tuple[dict[str, Estimate], list[Estimate | None]]:
    """The headline scores, and the F1 of each class, None where a seed has it neither in labels nor in predictions."""

    def of_seeds(sums_RSCC: Floats) -> Floats:
        return np.concatenate([headline(sums_RSCC), class_f1(sums_RSCC)], axis=-1)

    found = [None if np.isnan(one.value) else one for one in estimates(scored.counts, of_seeds)]
    heads = {name: one for name, one in zip(HEADLINE, found, strict=False) if one}
    return heads, found[len(HEADLINE) :]


def modality_weights(run: RunMaterial) -> Floats | None:
    """The weights of every seed and turn of test, ``(S, N, M)``; None where there is not one for each modality."""
    count = len(run.modalities)
    found = [[_weights(row) for row in seed.test] for seed in run.concluded]
    if not found or not found[0] or any(len(w) != count for rows in found for w in rows):
        return None
    return np.array(found, dtype=np.float64)


def head_names(run: RunMaterial) -> list[str]:
    """Auxiliary heads that every turn of every seed has a prediction of."""
    rows = [row for seed in run.concluded for row in seed.test]
    return [name for name in rows[0].get("heads", {}) if all(name in row.get("heads", {}) for row in rows)]


def head_answers(run: RunMaterial, head: str) -> NDArray[np.intp]:
    """What a head says of every turn, for every seed, ``(S, N)``."""
    labels = list(run.labels)
    return np.array([[labels.index(row["heads"][head]) for row in seed.test] for seed in run.concluded], dtype=np.intp)


def chosen_seed(run: RunMaterial) -> tuple[SeedMaterial, str]:
    """The seed whose dialogues and representations are shown, and why this one; test is not looked at."""
    seeds, monitor = run.concluded, run.summary["protocol"]["monitor"] if run.summary else ""
    if len(seeds) == 1:
        return seeds[0], "the only one"
    if not all(seed.dev for seed in seeds):
        return seeds[0], "the first, for want of dev"
    best = max(seeds, key=lambda seed: _dev_score(seed, monitor))
    return best, f"the best of {len(seeds)} by {monitor.replace('_', ' ').replace('f1', 'F1')} on dev"


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds, with ddof 1; NaN for one."""
    return float(np.mean(values)), _std(np.asarray(values))


def _dev_score(seed: SeedMaterial, monitor: str) -> float:
    assert seed.entry
    return float(seed.entry["selected"]["dev"][monitor])


def _weights(row: Mapping[str, Any]) -> Sequence[float]:
    found = row.get("weights", {}).get("modality", ())
    return found if isinstance(found, list) else ()


def _std(values_S: NDArray[Any]) -> float:
    return float(np.std(values_S, ddof=1)) if len(values_S) > 1 else float("nan")
