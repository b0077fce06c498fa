"""TensorBoard: event files in the run folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from ercframe import ComponentConfig, TrackedRun, Tracker, hookimpl, require

EXTRA = ("tensorboard", "tracker 'tensorboard'")


class TensorBoard(Tracker):
    """Event files for TensorBoard, a folder for each seed.

    ``tensorboard --logdir runs`` shows all runs side by side; settings, what the scores are and the
    result stand under *Text*. Files are whole after each epoch. After a resume a new file begins with
    a mark from which epoch on it replaces those before, which TensorBoard follows.
    """

    name = "tensorboard"

    class Config(ComponentConfig):
        folder: Path | None = Field(
            None, description="Where event files go, as FOLDER/RECIPE/TIME; null: tensorboard/ in the run folder."
        )

    def __init__(self, config: Config) -> None:
        self.folder = config.folder
        self._files: dict[str, _EventFile] = {}

    def started(self, run: TrackedRun) -> None:
        self._where = self.folder / run.name / run.folder.name if self.folder else run.folder / "tensorboard"
        about = {"selection": run.selection, **run.facts}
        told = {"about": _table(about), "settings": _code(run.settings)}
        self._file("", 0).write([_text(tag, text) for tag, text in told.items()], 0)

    def logged(self, seed: int, epoch: int, metrics: Mapping[str, float]) -> None:
        self._file(f"seed-{seed}", epoch).write(_scalars(metrics), epoch)

    def concluded(self, seed: int, metrics: Mapping[str, float]) -> None:
        epoch = int(metrics["total/epochs"])
        self._file(f"seed-{seed}", epoch).write(_scalars(metrics, "result/"), epoch)
        self._files.pop(f"seed-{seed}").close()

    def finished(self, status: str, metrics: Mapping[str, float]) -> None:
        self._file("", 0).write([_text("result", _table({"status": status, **metrics})), *_scalars(metrics)], 0)
        for file in self._files.values():
            file.close()

    def _file(self, name: str, step: int) -> _EventFile:
        """The open event file of a folder; a new one replaces what earlier ones there hold from ``step`` on."""
        if name not in self._files:
            self._files[name] = _EventFile(self._where / name, step)
        return self._files[name]


class _EventFile:
    """An event file, written at once, so that an error shows where it happens, and not in another thread.

    Args:
        folder: made where it is not there.
        step: what older files of the folder hold from this step on is void.
    """

    def __init__(self, folder: Path, step: int) -> None:
        record_writer = require("tensorboard.summary.writer.record_writer", *EXTRA)
        self._event_pb2 = require("tensorboard.compat.proto.event_pb2", *EXTRA)
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads the files of a folder in the order of their names.
        self._file = (folder / f"events.out.tfevents.{time.time_ns():020d}.{os.getpid()}").open("xb")
        self._writer = record_writer.RecordWriter(self._file)
        self._add(file_version="brain.Event:2")
        self._add(step=step, session_log=self._event_pb2.SessionLog(status=self._event_pb2.SessionLog.START))
        self._file.flush()

    def write(self, values: Iterable[Any], step: int) -> None:
        """Add values to the file."""
        summary_pb2 = require("tensorboard.compat.proto.summary_pb2", *EXTRA)
        self._add(step=step, summary=summary_pb2.Summary(value=values))
        self._file.flush()

    def close(self) -> None:
        """Close the file; it is whole already."""
        self._file.close()

    def _add(self, **what: Any) -> None:
        self._writer.write(self._event_pb2.Event(wall_time=time.time(), **what).SerializeToString())


def _scalars(metrics: Mapping[str, float], prefix: str = "") -> list[Any]:
    summary_pb2 = require("tensorboard.compat.proto.summary_pb2", *EXTRA)
    return [summary_pb2.Summary.Value(tag=prefix + name, simple_value=value) for name, value in metrics.items()]


def _text(tag: str, markdown: str) -> Any:
    summary_pb2 = require("tensorboard.compat.proto.summary_pb2", *EXTRA)
    tensor_pb2 = require("tensorboard.compat.proto.tensor_pb2", *EXTRA)
    types_pb2 = require("tensorboard.compat.proto.types_pb2", *EXTRA)
    metadata = require("tensorboard.plugins.text.metadata", *EXTRA)
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[markdown.encode()])
    described = metadata.create_summary_metadata(display_name=None, description=None)
    return summary_pb2.Summary.Value(tag=tag, metadata=described, tensor=tensor)


def _table(values: Mapping[str, object]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in values.items())])


def _code(settings: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(settings, indent=2, ensure_ascii=False)}\n```"


@hookimpl
def ercframe_components() -> list[type[Tracker]]:
    return [TensorBoard]
