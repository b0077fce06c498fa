"""What a run shows while it works: a progress bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

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

from ercframe.build import Experiment
from ercframe.report.table import GENERATED
from ercframe.runs import RunFolder
from ercframe.training.epoch import Epoch


class ConsoleReporter:
    """Prints to ``console``; where it is a terminal, a bar with the time that is left for each seed that trains."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bars: Progress | None = None
        self.tasks: dict[int, TaskID] = {}

    def started(self, experiment: Experiment, folder: RunFolder, parameters: int, warnings: list[str]) -> None:
        """Say what is about to be trained, on what, and where the results go."""
        info, splits = experiment.info, experiment.splits
        recipe = experiment.loaded.recipe
        widths = ", ".join(f"{name} {width}" for name, width in info.modalities.items())
        sizes = f"{len(splits.train)} / {len(splits.dev)} / {len(splits.test)}"
        self._say(f"{recipe.name}: {parameters:,} parameters; {info.name} ({widths}); dialogues train/dev/test {sizes}")
        if info.generated:
            self._say(GENERATED)
        for warning in warnings:
            self._say(f"warning: {warning}")
        self._say(f"writing to {folder.path}")

    def seed_started(self, seed: int, epochs: int) -> None:
        """Open a bar for the seed."""
        if not self.console.is_terminal:
            return
        if self.bars is None:
            self.bars = self._bars()
            self.bars.start()
        self.tasks[seed] = self.bars.add_task("", total=epochs, seed=seed, note="")

    def epoch_done(self, seed: int, epoch: Epoch, is_best: bool) -> None:
        """Advance the bar, or print a line."""
        scores = {"dev": epoch.dev, "test": epoch.test}
        words = [f"{name} wF1 {100 * found.weighted_f1:.2f}" for name, found in scores.items() if found]
        note = "  ".join([f"loss {epoch.loss:.3f}", *words, *(["best"] if is_best else [])])
        if self.bars is not None:
            self.bars.update(self.tasks[seed], completed=epoch.number, note=note)
        else:
            self._say(f"seed {seed}  epoch {epoch.number:>3}  {note}  {epoch.seconds:.1f} s")

    def seed_done(self, seed: int) -> None:
        """Close the bar."""
        if self.bars is not None:
            self.bars.remove_task(self.tasks.pop(seed))
            if not self.tasks:
                self.bars.stop()
                self.bars = None

    def notice(self, text: str) -> None:
        """Print a line."""
        self._say(text)

    def _bars(self) -> Progress:
        return Progress(
            TextColumn("seed {task.fields[seed]}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
        )

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
