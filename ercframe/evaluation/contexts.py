"""How a run's predictions depend on the turns around an utterance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.breakdown import confusion_counts, named
from ercframe.conditions import Condition
from ercframe.context_dependence import VIEWS
from ercframe.evaluation.asking import View
from ercframe.evaluation.found import Found
from ercframe.excerpts import Visible
from ercframe.statistics.bootstrap import Floats
from ercframe.statistics.confusion import HEADLINE, headline
from ercframe.statistics.over_seeds import Estimate, estimates

# Shape letters: B dialogues, S seeds, N turns, V views, C emotions, R resamples.

WHOLE = Condition()


def context_section(found: Found) -> dict[str, Any]:
    """The section ``context`` of ``evaluation.json``: scores under each view, against those with the whole dialogue."""
    asked: list[View] = [WHOLE if view == Visible() else view for view in VIEWS]
    changed_SVN = np.stack([found.predicted(view) != found.predicted(WHOLE) for view in asked], axis=1)
    heads = _headlines(found, asked)
    flipped = estimates(_flips(found, changed_SVN), lambda sums_RSV2: sums_RSV2[..., 0] / sums_RSV2[..., 1])
    share_SV = changed_SVN[..., found.scored].mean(axis=-1)
    size, length = len(HEADLINE), float(found.turns.length[found.scored].mean())
    entries = []
    for v, (view, shown) in enumerate(zip(VIEWS, asked, strict=True)):
        seeds = zip(found.scores(shown), share_SV[:, v].tolist(), strict=True)
        entries.append(
            {
                "past": "all" if view.past is None else view.past,
                "future": view.future,
                "speakers": view.speakers,
                "order": view.order,
                "turns": found.answers.turns[shown] if shown != WHOLE else length,
                "scores": named(heads[v * size : (v + 1) * size]),
                "difference": heads[len(VIEWS) * size + v].as_json(),
                "flipped": flipped[v].as_json(),
                "seeds": [{**scores.headline(), "flipped": share} for scores, share in seeds],
            }
        )
    return {"views": entries}


def _headlines(found: Found, asked: list[View]) -> list[Estimate]:
    """The headline scores of each view, then the difference of its first one, weighted F1, to the whole dialogue's."""
    whole, classes = asked.index(WHOLE), len(found.labels)
    counts = [confusion_counts(found.turns, found.predicted(view), found.scored, classes) for view in asked]

    def statistic(sums_RSVCC: Floats) -> Floats:
        heads_RSVH = headline(sums_RSVCC)
        f1_RSV = heads_RSVH[..., HEADLINE.index("weighted_f1")]
        parts = heads_RSVH.reshape(*f1_RSV.shape[:2], -1), f1_RSV - f1_RSV[..., whole, None]
        return np.concatenate(parts, axis=-1)

    return estimates(np.stack(counts, axis=2), statistic)


def _flips(found: Found, changed_SVN: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many predictions changed, and how many there are, of each dialogue, ``(B, S, V, 2)``."""
    _, number_P = np.unique(found.turns.dialogue[found.scored], return_inverse=True)
    changed_PSV = np.moveaxis(changed_SVN[..., found.scored], -1, 0)
    counts = np.zeros((number_P.max() + 1, *changed_PSV.shape[1:], 2), dtype=np.int64)
    np.add.at(counts, number_P, np.stack([changed_PSV, np.ones_like(changed_PSV)], axis=-1))
    return counts
