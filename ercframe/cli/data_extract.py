"""Carrying out ``ercframe data extract``, and showing how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ercframe import plugins
from ercframe.cli.data_settings import configure_extractor, portable
from ercframe.cli.data_tables import print_findings, print_manifest
from ercframe.cores import usable_cores
from ercframe.errors import InputError
from ercframe.extraction.compute import Means
from ercframe.extraction.pool import Maker
from ercframe.extraction.run import Order, extract_modality
from ercframe.training.device import choose_device
from ercframe.wording import counted

_SECONDS_BETWEEN_LINES = 10.0


def run(
    name: str,
    bundle: Path,
    settings: Sequence[str],
    modality: str | None,
    options: Mapping[str, Any],
    strict: bool,
    force: bool,
    files: tuple[Path, ...],
    every_place: bool,
) -> int:
    """Extract a modality; the arguments are those of the command. Returns the exit code."""
    registry = plugins.load(files)
    if bundle.name in {entry.component.name for entry in registry.entries("extractor")} and Path(name).is_dir():
        raise InputError(f"must be EXTRACTOR BUNDLE (got a folder first); did you mean `{bundle} {name}`?")
    kind: Any = registry.get("extractor", name)
    config = configure_extractor(kind, settings, options)
    order = Order(
        maker=Maker(name, config.model_dump_json(), tuple(file.resolve() for file in files)),
        settings=portable(config),
        bundle=bundle,
        modality=modality or kind.modality,
        media=options["--media"],
        force=force,
    )
    device = str(choose_device(options["--device"] or "auto", "--device")) if kind.on_device else "cpu"
    workers = options["--workers"] or (usable_cores() if order.media else 1)
    progress = ProgressReporter(order.modality)
    try:
        with progress:
            manifest, notes = extract_modality(order, Means(device, workers, strict), progress)
    except KeyboardInterrupt:
        kept = f"{progress.done:,} of {counted(progress.turns, 'utterance')} are kept; the same command goes on there."
        print(f"Interrupted: {kept}", file=progress.console.file)
        return 130
    print_findings(notes, every_place=every_place)
    print_manifest(manifest, bundle)
    return 0


class ProgressReporter:
    """A bar with the time that is left on a terminal, now and then a line elsewhere; on standard error.

    Attributes:
        turns: how many there are.
        done: how many of them are done.
    """

    def __init__(self, modality: str) -> None:
        self.modality, self.turns, self.done = modality, 0, 0
        self.console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._began = self._said = time.monotonic()
        self._before = 0

    def __enter__(self) -> ProgressReporter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def started(self, turns: int, done: int) -> None:
        """Open the bar, or print the first line."""
        self.turns, self.done, self._before = turns, done, done
        self._began = self._said = time.monotonic()
        if done:
            self._say(f"{self.modality}: going on after {done:,} of {counted(turns, 'utterance')}")
        elif not self.console.is_terminal:
            self._say(f"{self.modality}: {counted(turns, 'utterance')}")
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn(self.modality),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=turns, completed=done)

    def advanced(self, turns: int) -> None:
        """Move the bar, or print a line if the last was long ago."""
        self.done += turns
        now = time.monotonic()
        if self._bar:
            self._bar.advance(self._task, turns)
        elif now - self._said > _SECONDS_BETWEEN_LINES:
            self._said = now
            left = (now - self._began) / (self.done - self._before) * (self.turns - self.done)
            self._say(f"{self.modality}: {self.done:,} of {self.turns:,}, {_duration(left)} left")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
