"""Trials that Optuna proposes, from what those before scored on dev."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ercframe.errors import InputError
from ercframe.extras import require
from ercframe.recipes.fields import in_yaml
from ercframe.runs import RunFolder
from ercframe.statistics.confusion import HEADLINE
from ercframe.sweep.plan import Changes, Source, Trial, plan
from ercframe.sweep.pruning import Pruning
from ercframe.sweep.space import Parameter, Range, as_json

STUDY = "search"
RETRIED = "retry of trial"
"""The attribute by which Optuna keeps that a trial is another one that failed, and then succeeded."""


def require_dev_objective(objective: str, source: Source) -> str:
    """The score that an objective such as ``dev.weighted_f1`` names.

    Raises:
        InputError: it is none, is one of test, or the protocol leaves no dev.
    """
    split, _, score = objective.partition(".")
    if split == "test":
        raise InputError(
            f"--objective must be a score on dev (got {objective}): what is chosen by its score on test is fitted to "
            "test, and that score is no result any more"
        )
    if split != "dev" or score not in HEADLINE:
        raise InputError(
            f"--objective must be one of {', '.join(f'dev.{name}' for name in HEADLINE)} (got {objective})"
        )
    if source.load({}).recipe.protocol.name == "paper":
        raise InputError(
            "a search needs protocol.name=heldout: protocol 'paper' leaves no dev to choose by (got 'paper')"
        )
    return score


class Search:
    """Asks Optuna for settings and tells it what they scored; all is kept in ``optuna.db`` in the sweep's folder.

    The n-th setting is drawn with a seed of its own, so that it depends only on what is known by then, not on how
    often the search was stopped. A trial that was not at its end comes first again. Of one that failed, and succeeded
    when it was tried again, Optuna gets a finished copy, since what it was told of a trial stays as it is.

    Args:
        source: the recipe.
        space: what may be tried.
        folder: the sweep's.
        trials: how many settings in all.
        score: of dev, averaged over the seeds of a trial; higher is better.
        seed: of the draws.
        notice: told of settings that the recipe does not take.
        prune_after: epochs of the first seed after which a trial is given up where the best of its scores is below the
            median of those that finished trials had after as many epochs; None trains all to their end.

    Raises:
        InputError: Optuna is not installed, or the search in the folder has another recipe, space, score or seed.
    """

    def __init__(
        self,
        source: Source,
        space: Mapping[str, Parameter],
        folder: Path,
        trials: int,
        score: str,
        seed: int,
        notice: Callable[[str], None],
        prune_after: int | None = None,
    ) -> None:
        self.optuna: Any = require("optuna", "optuna", "--search")
        self.optuna.logging.set_verbosity(self.optuna.logging.WARNING)
        self.source, self.trials, self.score, self.seed, self.notice = source, trials, score, seed, notice
        self.distributions = {key: self._distribution(parameter) for key, parameter in space.items()}
        self.study = self.optuna.create_study(
            storage=f"sqlite:///{(folder / 'optuna.db').resolve()}",
            study_name=STUDY,
            direction="maximize",
            load_if_exists=True,
        )
        about = {"source": source.as_json(), "space": as_json(space), "score": score, "seed": seed}
        self._require_same(about if prune_after is None else {**about, "prune_after": prune_after})
        self._known = [trial for trial in self.study.trials if self._proposed(trial)]
        self._numbers: dict[str, int] = {}
        self._pruning = None if prune_after is None else Pruning(self.study, source, score, prune_after)

    def next(self) -> Trial | None:
        """A setting that was proposed before, then new ones; None when there are as many as there shall be."""
        while True:
            if self._known:
                frozen = self._known.pop(0)
                number, parameters = frozen.number, frozen.params
            elif sum(map(self._proposed, self.study.trials)) < self.trials:
                number, parameters = self._ask()
            else:
                return None
            name = f"trial-{number:04d}"
            self._numbers[name] = number
            changes: Changes = {key: in_yaml(parameters[key]) for key in self.distributions}
            try:
                return plan(self.source, {name: changes})[0]
            except InputError as error:
                self._tell(number, "failed")
                self.notice(f"{name} cannot be trained: " + "; ".join(p.message for p in error.problems))

    def given_up(self, trial: Trial, run: RunFolder | None) -> str:
        """Why a trial is not trained to its end: what its first seed scored on dev so far."""
        return self._pruning.judge(self._numbers[trial.name], run) if self._pruning else ""

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Tell Optuna; what was interrupted stays open."""
        score = row["result"]["scores"]["dev"][self.score]["mean"] if row["result"] else None
        self._tell(self._numbers[trial.name], row["status"], score)

    def _ask(self) -> tuple[int, Mapping[str, Any]]:
        self.study.sampler = self.optuna.samplers.TPESampler(seed=self.seed + len(self.study.trials))
        asked = self.study.ask(self.distributions)
        return asked.number, asked.params

    def _tell(self, number: int, status: str, score: float | None = None) -> None:
        """What a trial came to; telling it again changes nothing."""
        states = self.optuna.trial.TrialState
        state = {"finished": states.COMPLETE, "failed": states.FAIL, "pruned": states.PRUNED}.get(status)
        told = self.study.trials[number]
        if told.state == states.RUNNING and state is not None:
            self.study.tell(number, score, state=state)
        elif told.state == states.FAIL and state == states.COMPLETE and not self._copied(number):
            copy = self.optuna.trial.create_trial(
                params=told.params,
                distributions=told.distributions,
                value=score,
                user_attrs={RETRIED: number},
            )
            self.study.add_trial(copy)

    def _copied(self, number: int) -> bool:
        """Whether a trial that failed has a finished copy."""
        return any(trial.user_attrs.get(RETRIED) == number for trial in self.study.trials)

    def _proposed(self, trial: Any) -> bool:
        """Whether it is no copy, and all its settings were drawn; a process may be killed before."""
        return RETRIED not in trial.user_attrs and set(trial.params) == set(self.distributions)

    def _distribution(self, parameter: Parameter) -> Any:
        kinds = self.optuna.distributions
        if not isinstance(parameter, Range):
            return kinds.CategoricalDistribution(parameter.choices)
        if parameter.type == "float":
            return kinds.FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)
        return kinds.IntDistribution(
            int(parameter.low), int(parameter.high), log=parameter.log, step=int(parameter.step or 1)
        )

    def _require_same(self, about: Mapping[str, Any]) -> None:
        as_kept = {**about, "source": {**about["source"], "overrides": list(about["source"]["overrides"])}}
        before = self.study.user_attrs.get("about")
        if before is None:
            self.study.set_user_attr("about", as_kept)
        elif before != as_kept:
            changed = ", ".join(key for key in {**before, **as_kept} if before.get(key) != as_kept.get(key))
            raise InputError(
                f"the search in this folder was begun with another {changed}; put it back, or begin anew with --name"
            )
