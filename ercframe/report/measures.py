"""What the figures of a report show of the predictions of a run's seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.report.material import RunMaterial, SeedMaterial
from ercframe.scored_turns import ScoredTurns
from ercframe.seed_choice import best_seed
from ercframe.statistics.bootstrap import Floats

# Shape letters: N scored turns, S seeds, M modalities.


def scored_turns(run: RunMaterial) -> ScoredTurns | None:
    """What the run's concluded seeds predict of test; None where there is none.

    Raises:
        ValueError: the predictions are not for the same turns, or of unknown emotions.
    """
    if not run.concluded or not run.concluded[0].test:
        return None
    return ScoredTurns.of({seed.seed: seed.test for seed in run.concluded}, run.labels)


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
    """The seed whose dialogues and representations are shown, and why this one."""
    assert run.summary
    chosen = best_seed(run.summary)
    return next(seed for seed in run.concluded if seed.seed == chosen.seed), chosen.why


def _weights(row: Mapping[str, Any]) -> Sequence[float]:
    found = row.get("weights", {}).get("modality", ())
    return found if isinstance(found, list) else ()
