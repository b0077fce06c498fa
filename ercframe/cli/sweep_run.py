"""What the commands that train many runs share: driving them, and showing what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.console import Console

from ercframe.report.sweep_table import sweep_table
from ercframe.report.table import SHORT, percent
from ercframe.sweep.drive import Listed, Sweep
from ercframe.sweep.engine import processors
from ercframe.sweep.folder import SweepFolder
from ercframe.sweep.local import LocalEngine
from ercframe.sweep.plan import Trial

EXIT_CODES = {"finished": 0, "incomplete": 1, "preempted": 75, "interrupted": 130}


class ConsoleWatcher:
    """Prints a line when a trial starts and when it ends."""

    def __init__(self, total: int | None) -> None:
        self.total, self.count = total, 0

    def reused(self, trial: Trial) -> None:
        """Say that there is nothing to do."""
        typer.echo(f"{trial.name}: was finished before")

    def started(self, trial: Trial, goes_on: bool) -> None:
        """Say what starts."""
        typer.echo(f"{trial.name}: {'goes on' if goes_on else 'starts'}")

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Say how it ended, and how many have."""
        self.count += 1
        of = f"/{self.total}" if self.total else ""
        typer.echo(f"[{self.count}{of}] {trial.name}: {row['status']}{_scored(row)}")


def _scored(row: Mapping[str, Any]) -> str:
    if not row["result"]:
        return f": {row['error'].splitlines()[0]}" if row["error"] else ""
    scores, monitor = row["result"]["scores"], row["result"]["monitor"]
    shown = (f"{split} {SHORT[monitor]} {percent(scores[split][monitor]['mean'])}" for split in scores)
    return f", {', '.join(shown)}"


def train_all(
    folder: SweepFolder,
    trials: Sequence[Trial],
    about: Mapping[str, Any],
    *,
    jobs: int,
    retry_failed: bool,
    compared_with: str | None = None,
) -> int:
    """Train all trials on this machine and show the results; the exit code."""
    threads = None if jobs == 1 else max(1, processors() // jobs)
    watcher = ConsoleWatcher(len(trials))
    sweep = Sweep(folder, LocalEngine(jobs), about, watcher, threads, retry_failed)
    status = sweep.run(Listed(trials), trials)
    Console().print(sweep_table(about["recipe"], sweep.rows(), compared_with))
    typer.echo(f"sweep folder: {folder.path}")
    return EXIT_CODES[status]
