"""How far a run's probabilities can be believed, as they are and at a temperature fitted on dev."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.calibration import calibrated, fit_temperature
from ercframe.reliability import BINS, Bins, brier_score, negative_log_likelihood
from ercframe.summary import spread

# Shape letters: N utterances of the split, V of dev, C emotions; a sequence has an entry for each seed.

MEASURES = ("ece", "nll", "brier")

Probabilities = Sequence[NDArray[np.float64]]


def calibration_section(
    probability_NC: Probabilities, label_N: NDArray[Any], dev_VC: Probabilities, dev_label_V: NDArray[Any]
) -> dict[str, Any]:
    """The section ``calibration`` of ``evaluation.json``.

    Args:
        probability_NC: of each seed's model, ``(N, C)``.
        label_N: what is true, ``(N,)``.
        dev_VC: the same on dev, ``(V, C)``; none where nothing may be fitted.
        dev_label_V: what is true there, ``(V,)``.
    """
    temperatures = [fit_temperature(one_VC, dev_label_V) for one_VC in dev_VC]
    scaled = [calibrated(one_NC, t) for one_NC, t in zip(probability_NC, temperatures, strict=False)]
    return {
        "bins": BINS,
        "as_is": _measured(probability_NC, label_N),
        "temperature": {"fitted_on": "dev", "seeds": temperatures, "over_seeds": spread(temperatures)}
        if temperatures
        else None,
        "scaled": _measured(scaled, label_N) if scaled else None,
    }


def _measured(probability_NC: Probabilities, label_N: NDArray[Any]) -> dict[str, Any]:
    """The measures of each seed and over the seeds; the bins hold the predictions of all seeds."""
    bins = [Bins.of(one_NC, label_N) for one_NC in probability_NC]
    seeds = [
        {
            "ece": found.error(),
            "nll": negative_log_likelihood(one_NC, label_N),
            "brier": brier_score(one_NC, label_N),
        }
        for found, one_NC in zip(bins, probability_NC, strict=True)
    ]
    over_seeds = {name: spread(seed[name] for seed in seeds) for name in MEASURES}
    return {"seeds": seeds, "over_seeds": over_seeds, "reliability": reduce(add, bins).rows()}
