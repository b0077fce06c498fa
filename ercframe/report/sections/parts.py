"""What the parts of a model do: the fusion's modality weights, and the heads that learn from the fused prediction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ercframe.report.figures.intervals import Bars, interval_bars
from ercframe.report.figures.shares import share_bars
from ercframe.report.material import RunMaterial
from ercframe.report.measures import head_answers, head_names, modality_weights
from ercframe.report.page import Section
from ercframe.report.words import with_std
from ercframe.scored_turns import ScoredTurns
from ercframe.statistics.over_seeds import Estimate, estimates
from ercframe.summary import spread

# Shape letters: N scored turns, B dialogues, S seeds, M modalities, X counts, R resamples.


def weights(run: RunMaterial, test: ScoredTurns) -> Section:
    """The mean weight of each modality, for each emotion and over all."""
    found_SNM = modality_weights(run)
    if found_SNM is None:
        return Section("weights", "Modality weights", ["The parts of this run have no weight for each modality."])
    rows = [("all turns", _spreads(found_SNM))]
    for i, label in enumerate(test.labels):
        if (test.label == i).any():
            rows.append((label, _spreads(found_SNM[:, test.label == i])))
    told = "How much each modality weighs, for the turns of each emotion on test; the shares of a row add up to 100."
    figure = share_bars("weights", "Weights by emotion, in percent", told, run.modalities, rows)
    note = (
        "Means over turns and seeds. A weight is how a part mixes the modalities, not how much the answer needs them."
    )
    return Section("weights", "Modality weights", [note], [figure])


def heads(run: RunMaterial, test: ScoredTurns) -> Section:
    """How often each auxiliary head says what the model says, and is right."""
    title = "Agreement of the student heads"
    names = head_names(run)
    if not names:
        return Section("heads", title, ["No loss of this run has heads of its own."])
    groups = []
    for name in names:
        said_SN = head_answers(run, name)
        groups.append(Bars(name, [_share(test, said_SN == test.predicted), _share(test, said_SN == test.label)]))
    told = "For each head: how often it agrees with the fused prediction, and how often it is right, with intervals."
    figure = interval_bars(
        "heads", "Heads on test, in percent", told, groups, ("agrees with fused", "is right"), first="head"
    )
    note = (
        "Each head sees one modality's representation and learns from the fused prediction (self-distillation), which "
        f"itself is right in {with_std(_share(test, test.right))} percent of the turns."
    )
    return Section("heads", title, [note], [figure])


def _spreads(found_SNM: NDArray[np.float64]) -> list[dict[str, float | None]]:
    """What each modality weighs over the turns, over the seeds."""
    return [spread(values_S.tolist()) for values_S in found_SNM.mean(axis=1).T]


def _share(test: ScoredTurns, holds_SN: NDArray[np.bool_]) -> Estimate:
    """How often something holds, with the interval over dialogues."""
    counts_BSX = np.zeros((len(test.dialogues), len(holds_SN), 2), dtype=np.int64)
    np.add.at(counts_BSX, test.dialogue, np.stack([holds_SN.T, np.ones_like(holds_SN.T)], axis=-1))
    (found,) = estimates(counts_BSX, lambda sums_RSX: sums_RSX[..., :1] / sums_RSX[..., 1:])
    return found
