"""Giving up trials of a search that score less on dev than others did after as many epochs."""

from __future__ import annotations

import copy
from typing import Any

from ercframe.extras import require
from ercframe.runs import RunFolder
from ercframe.sweep.folder import run_status
from ercframe.sweep.plan import Source

FINISHED_FIRST = 5
"""Trials that are finished before any is given up."""


class Pruning:
    """Optuna's median pruner on the dev scores that the first seed of a trial has in its log.

    The log is judged epoch by epoch from the first to the last, so it does not matter when somebody looks, nor how
    often the trial or the search was stopped. An epoch that passed is not judged again, whatever other trials score
    later. Optuna keeps what was judged.

    Args:
        study: Optuna's.
        source: the recipe of the search.
        score: of dev.
        after: the first epoch after which a trial may be given up.
    """

    def __init__(self, study: Any, source: Source, score: str, after: int) -> None:
        self.optuna: Any = require("optuna", "optuna", "--prune-after")
        self.study, self.score = study, score
        self.seed = source.load({}).recipe.protocol.seed_list()[0]
        self.pruner = self.optuna.pruners.MedianPruner(FINISHED_FIRST, n_warmup_steps=after)
        self._passed: dict[int, int] = {}
        """The last epoch of each trial that was judged here, and not given up."""

    def judge(self, number: int, run: RunFolder | None) -> str:
        """Why a trial is given up, in words; empty where it is not, or is over.

        Args:
            number: of the trial in the study.
            run: its run folder; None where there is none yet.
        """
        trial = self.study.get_trials(deepcopy=False)[number]
        if trial.state == self.optuna.trial.TrialState.PRUNED:
            return self._told(trial.last_step)
        if trial.state.is_finished() or run is None:
            return ""
        kept, scores = trial.last_step or 0, dict(trial.intermediate_values)
        if number not in self._passed:  # a process that was killed may have kept its last epoch without a judgement
            self._passed[number] = kept if run_status(run) == "finished" else kept - 1
        for row in run.seed(self.seed).read_metrics():
            epoch = row["epoch"]
            if epoch <= self._passed[number]:
                continue
            scores[epoch] = row["dev"][self.score]
            if epoch > kept:
                self.optuna.trial.Trial(self.study, trial._trial_id).report(scores[epoch], epoch)
            if self.pruner.prune(self.study, _until_now(trial, scores)):
                return self._told(epoch)
            self._passed[number] = epoch
        return ""

    def _told(self, epoch: int) -> str:
        score = self.score.replace("_", " ")
        return f"after epoch {epoch} its best {score} on dev was below the median of the trials before"


def _until_now(trial: Any, scores: dict[int, float]) -> Any:
    """The trial as the pruner shall see it."""
    found = copy.copy(trial)
    found.intermediate_values = dict(scores)
    return found
