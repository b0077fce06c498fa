"""How far a run's probabilities can be believed, as they are and at a temperature fitted on dev."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.calibration import calibrated, fit_temperature
from ercframe.reliability import (
    BINS,
    Bins,
    brier_score,
    negative_log_likelihood,
    squared_distance,
    surprise,
)
from ercframe.statistics.bootstrap import Floats
from ercframe.statistics.over_seeds import estimates
from ercframe.summary import spread

# Shape letters: N utterances of the split, V of dev, C emotions, B dialogues, S seeds, R resamples; a sequence has an
# entry for each seed.

MEANS = ("nll", "brier")
"""The measures that are means over utterances. ECE is none: resampling adds its bias again, so it has no interval."""

Probabilities = Sequence[NDArray[np.float64]]


def calibration_section(
    probability_NC: Probabilities,
    label_N: NDArray[Any],
    dialogue_N: NDArray[Any],
    dev_VC: Probabilities,
    dev_label_V: NDArray[Any],
) -> dict[str, Any]:
    """The section ``calibration`` of ``evaluation.json``.

    Args:
        probability_NC: of each seed's model, ``(N, C)``.
        label_N: what is true, ``(N,)``.
        dialogue_N: the dialogue of each utterance, which intervals draw, ``(N,)``.
        dev_VC: the same on dev, ``(V, C)``; none where nothing may be fitted.
        dev_label_V: what is true there, ``(V,)``.
    """
    temperatures = [fit_temperature(one_VC, dev_label_V) for one_VC in dev_VC]
    scaled = [calibrated(one_NC, t) for one_NC, t in zip(probability_NC, temperatures, strict=False)]
    return {
        "bins": BINS,
        "as_is": _measured(probability_NC, label_N, dialogue_N),
        "temperature": {"fitted_on": "dev", "seeds": temperatures, "over_seeds": spread(temperatures)}
        if temperatures
        else None,
        "scaled": _measured(scaled, label_N, dialogue_N) if scaled else None,
    }


def _measured(probability_NC: Probabilities, label_N: NDArray[Any], dialogue_N: NDArray[Any]) -> dict[str, Any]:
    """The measures of each seed, and over the seeds, means with intervals over dialogues; bins hold all predictions."""
    bins = [Bins.of(one_NC, label_N) for one_NC in probability_NC]
    seeds = [
        {
            "ece": found.error(),
            "nll": negative_log_likelihood(one_NC, label_N),
            "brier": brier_score(one_NC, label_N),
        }
        for found, one_NC in zip(bins, probability_NC, strict=True)
    ]
    over_seeds = {name: spread(seed[name] for seed in seeds) for name in ("ece", *MEANS)}
    for name, one in zip(MEANS, estimates(_sums(probability_NC, label_N, dialogue_N), _means), strict=True):
        over_seeds[name] |= {"low": one.low, "high": one.high}
    return {"seeds": seeds, "over_seeds": over_seeds, "reliability": reduce(add, bins).rows()}


def _sums(probability_NC: Probabilities, label_N: NDArray[Any], dialogue_N: NDArray[Any]) -> Floats:
    """Surprise, squared distance and utterances of each dialogue and seed, added up, ``(B, S, 3)``."""
    _, number_N = np.unique(dialogue_N, return_inverse=True)
    sums_BS3 = np.zeros((number_N.max() + 1, len(probability_NC), 3))
    for s, one_NC in enumerate(probability_NC):
        each_N3 = np.stack([surprise(one_NC, label_N), squared_distance(one_NC, label_N), np.ones(len(label_N))], 1)
        np.add.at(sums_BS3[:, s], number_N, each_N3)
    return sums_BS3


def _means(sums_RS3: Floats) -> Floats:
    """NLL and Brier score of added sums, ``(R, S, 2)``."""
    return sums_RS3[..., :2] / sums_RS3[..., 2:]
