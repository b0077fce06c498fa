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
    bin_of,
    brier_score,
    negative_log_likelihood,
    squared_distance,
    surprise,
)
from ercframe.statistics.bootstrap import Floats
from ercframe.statistics.over_seeds import estimates
from ercframe.summary import spread

# Shape letters: N utterances of the split, V of dev, C emotions, K bins, B dialogues, S seeds, R resamples; a sequence
# has an entry for each seed.

MEASURES = ("ece", "nll", "brier")

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
    """The measures of each seed, and over the seeds with intervals over dialogues; the bins hold all predictions."""
    bins = [Bins.of(one_NC, label_N) for one_NC in probability_NC]
    seeds = [
        {
            "ece": found.error(),
            "nll": negative_log_likelihood(one_NC, label_N),
            "brier": brier_score(one_NC, label_N),
        }
        for found, one_NC in zip(bins, probability_NC, strict=True)
    ]
    intervals = estimates(_sums(probability_NC, label_N, dialogue_N), _measures)
    over_seeds = {
        name: {**spread(seed[name] for seed in seeds), "low": one.low, "high": one.high}
        for name, one in zip(MEASURES, intervals, strict=True)
    }
    return {"seeds": seeds, "over_seeds": over_seeds, "reliability": reduce(add, bins).rows()}


def _sums(probability_NC: Probabilities, label_N: NDArray[Any], dialogue_N: NDArray[Any]) -> Floats:
    """What the measures add up, for each dialogue and seed, ``(B, S, K + 3)``.

    By bin, how many more are right than the probabilities say; then surprise, squared distance and utterances.
    """
    _, number_N = np.unique(dialogue_N, return_inverse=True)
    sums_BSX = np.zeros((number_N.max() + 1, len(probability_NC), BINS + 3))
    for s, one_NC in enumerate(probability_NC):
        top_N = one_NC.max(axis=1)
        gap_NK = np.eye(BINS)[bin_of(top_N)] * ((one_NC.argmax(axis=1) == label_N) - top_N)[:, None]
        others_N3 = np.stack([surprise(one_NC, label_N), squared_distance(one_NC, label_N), np.ones_like(top_N)], 1)
        np.add.at(sums_BSX[:, s], number_N, np.concatenate([gap_NK, others_N3], axis=1))
    return sums_BSX


def _measures(sums_RSX: Floats) -> Floats:
    """ECE, NLL and Brier score of added sums, ``(R, S, 3)``."""
    gap_RS = np.abs(sums_RSX[..., :BINS]).sum(axis=-1)
    return np.stack([gap_RS, sums_RSX[..., BINS], sums_RSX[..., BINS + 1]], axis=-1) / sums_RSX[..., -1:]
