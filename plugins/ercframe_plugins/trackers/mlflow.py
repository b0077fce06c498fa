"""MLflow: a run with one below it for each seed, in a local file or on a server."""

from __future__ import annotations

import os
import posixpath
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from ercframe import ComponentConfig, TrackedRun, Tracker, hookimpl, require

EXTRA = ("mlflow", "tracker 'mlflow'")
STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "preempted": "KILLED", "failed": "FAILED"}


class MLflow(Tracker):
    """A run in MLflow, with one below it for each seed.

    Settings become parameters, what the scores are becomes tags. After a resume the same runs are gone on with; epochs
    that MLflow has stay as they are. No files are logged: they are in the run folder. MLflow's usage statistics are
    switched off for the process, unless its environment says otherwise.
    """

    name = "mlflow"
    example_configs = ()  # making a store takes many seconds

    class Config(ComponentConfig):
        uri: str = Field(
            "sqlite:///mlflow.db",
            min_length=1,
            description="The store: sqlite:///FILE, relative to the current directory, or a server. MLflow takes "
            "passwords and tokens from environment variables of its own, such as MLFLOW_TRACKING_TOKEN.",
        )
        experiment: str = Field("ercframe", min_length=1, description="What MLflow files the runs under.")

        @field_validator("uri")
        @classmethod
        def _no_password(cls, uri: str) -> str:
            if "@" in urlsplit(uri).netloc:
                raise ValueError(
                    "must hold no user or password, which run folders would keep; use MLFLOW_TRACKING_USERNAME"
                )
            return uri

    def __init__(self, config: Config) -> None:
        self.config = config

    def started(self, run: TrackedRun) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        self._mlflow = require("mlflow", *EXTRA)
        self._client = self._mlflow.MlflowClient(tracking_uri=self.config.uri)
        self._run, self._seeds = run, dict[int, _Series]()
        self._experiment = self._find_experiment()
        self._parent = self._find_run("all", run.title, {})

    def logged(self, seed: int, epoch: int, metrics: Mapping[str, float]) -> None:
        self._seed(seed).log(metrics, epoch)

    def concluded(self, seed: int, metrics: Mapping[str, float]) -> None:
        self._seed(seed).end(metrics, "FINISHED")
        del self._seeds[seed]

    def finished(self, status: str, metrics: Mapping[str, float]) -> None:
        for series in self._seeds.values():
            series.end({}, STATUS[status])
        self._parent.end(metrics, STATUS[status])

    def _seed(self, seed: int) -> _Series:
        if seed not in self._seeds:
            parent = {"mlflow.parentRunId": self._parent.id}
            self._seeds[seed] = self._find_run(str(seed), f"{self._run.title} seed {seed}", parent)
        return self._seeds[seed]

    def _find_experiment(self) -> str:
        """The experiment's id; made where it is not there, unless another process is quicker."""
        name, made = self.config.experiment, None
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                made = self._client.create_experiment(name)
            except self._mlflow.MlflowException:
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(made if found is None else found.experiment_id)

    def _find_run(self, seed: str, name: str, tags: Mapping[str, str]) -> _Series:
        """The run of a seed, which is there after a resume."""
        mine = {"ercframe.run": self._run.id, "ercframe.seed": seed}
        wanted = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in mine.items())
        there = self._client.search_runs([self._experiment], wanted)
        if there:
            series = _Series(self._client, there[0].info.run_id, begun=True)
            self._client.update_run(series.id, status="RUNNING")
            return series
        facts = {"selection": self._run.selection, **self._run.facts}
        about = {f"ercframe.{fact}": str(value) for fact, value in facts.items()}
        made = self._client.create_run(self._experiment, tags={**mine, **tags, **about}, run_name=name)
        series = _Series(self._client, made.info.run_id, begun=False)
        series.describe(self._run.settings)
        return series


class _Series:
    """What one run in MLflow gets.

    Args:
        client: MLflow's.
        id: of the run in MLflow.
        begun: whether a process before this one may have logged to it.
    """

    def __init__(self, client: Any, id: str, begun: bool) -> None:
        self.client, self.id, self.begun = client, id, begun
        self._known: dict[str, set[int]] = {}

    def describe(self, settings: Mapping[str, Any]) -> None:
        """Log settings as parameters, by dotted key."""
        entities = require("mlflow.entities", *EXTRA)
        params = [entities.Param(key, str(value)) for key, value in _flat(settings)]
        for start in range(0, len(params), 100):  # as many as a request may hold
            self.client.log_batch(self.id, params=params[start : start + 100])

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Log an epoch, but for what is there from before a resume: MLflow would keep both."""
        named = {allowed(name): value for name, value in metrics.items()}
        self._send({key: value for key, value in named.items() if epoch not in self._steps(key)}, epoch)

    def end(self, metrics: Mapping[str, float], status: str) -> None:
        """Log the result, the newest of which MLflow shows, and close the run."""
        self._send({allowed(name): value for name, value in metrics.items()}, 0)
        self.client.set_terminated(self.id, status)

    def _send(self, values: Mapping[str, float], step: int) -> None:
        entities, now = require("mlflow.entities", *EXTRA), int(1000 * time.time())
        self.client.log_batch(self.id, metrics=[entities.Metric(key, x, now, step) for key, x in values.items()])

    def _steps(self, key: str) -> set[int]:
        """The steps that an earlier process logged."""
        if key not in self._known:
            history = self.client.get_metric_history(self.id, key) if self.begun else ()
            self._known[key] = {metric.step for metric in history}
        return self._known[key]


def allowed(name: str) -> str:
    """A name that MLflow takes: what it refuses becomes its number, as ``!`` becomes ``-21-``."""
    plain = re.sub(r"[^/\w.\- ]", lambda found: f"-{ord(found[0]):x}-", name)
    return plain if posixpath.normpath(plain) == plain else plain.replace("/", "-2f-")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@hookimpl
def ercframe_components() -> list[type[Tracker]]:
    return [MLflow]
