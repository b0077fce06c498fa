"""Weights & Biases: a run for each seed, offline unless the recipe says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from ercframe import ComponentConfig, TrackedRun, Tracker, hookimpl, require

EXIT_CODES = {"finished": 0, "interrupted": 130, "preempted": 75, "failed": 1}


class WandB(Tracker):
    """Runs of Weights & Biases: one for each seed, and one for the result over the seeds, in one group.

    Offline, the default, they are kept below ``wandb/`` in the run folder until ``wandb sync`` sends them. After a
    resume a seed has a new offline folder under the same id, with all of its epochs; the one before can be deleted.
    What Weights & Biases collects of machine, command line, output, code and packages is switched off.
    """

    name = "wandb"
    example_configs = ()  # each run of it starts a process

    class Config(ComponentConfig):
        mode: Literal["offline", "online"] = Field(
            "offline",
            description="online sends while training, with the key that `wandb login` keeps or WANDB_API_KEY.",
        )
        project: str = Field(
            "ercframe",
            pattern=r"^[^/\\#?%:]{1,128}$",
            description="What Weights & Biases files the runs under.",
        )
        entity: str | None = Field(None, description="Whose project; null: that of the account.")

    def __init__(self, config: Config) -> None:
        self.config = config
        self._seeds: dict[int, Any] = {}

    def started(self, run: TrackedRun) -> None:
        self._wandb = require("wandb", "wandb", "tracker 'wandb'")
        self._run = run

    def logged(self, seed: int, epoch: int, metrics: Mapping[str, float]) -> None:
        run = self._seed(seed)
        if epoch > run.starting_step:  # online: what came before a resume is there
            run.log(dict(metrics), step=epoch)

    def concluded(self, seed: int, metrics: Mapping[str, float]) -> None:
        run = self._seed(seed)
        run.summary.update(dict(metrics))
        run.finish(exit_code=0)
        del self._seeds[seed]

    def finished(self, status: str, metrics: Mapping[str, float]) -> None:
        for run in self._seeds.values():
            run.finish(exit_code=EXIT_CODES[status])
        over_seeds = self._init("result")
        over_seeds.summary.update({"status": status, **metrics})
        over_seeds.finish(exit_code=EXIT_CODES[status])

    def _seed(self, seed: int) -> Any:
        if seed not in self._seeds:
            self._seeds[seed] = self._init(f"seed {seed}")
        return self._seeds[seed]

    def _init(self, part: str) -> Any:
        run, config = self._run, self.config
        nothing_else = self._wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            silent=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        return self._wandb.init(
            project=config.project,
            entity=config.entity,
            group=run.title,
            job_type="result" if part == "result" else "seed",
            name=f"{run.title} {part}",
            id=f"{run.id}-{part.replace(' ', '-')}",
            tags=[run.selection],
            config={**run.settings, "facts": {"selection": run.selection, **run.facts}},
            dir=run.folder,
            mode=config.mode,
            resume="allow" if config.mode == "online" else None,
            reinit="create_new",
            settings=nothing_else,
        )


@hookimpl
def ercframe_components() -> list[type[Tracker]]:
    return [WandB]
