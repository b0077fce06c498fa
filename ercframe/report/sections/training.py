"""Learning curves of every seed: objective, dev, and test."""

from __future__ import annotations

from ercframe.report.figures.curves import Series, curves
from ercframe.report.material import RunMaterial, SeedMaterial
from ercframe.report.page import Figure, Section
from ercframe.statistics.confusion import NAMES


def training(run: RunMaterial) -> Section:
    """Up to three figures; of what was not scored there is none, and a note says so."""
    if not any(seed.epochs for seed in run.seeds):
        return Section("curves", "Learning curves", ["No epoch was finished."])
    figures, notes = [_loss(run)], []
    for split in ("dev", "test"):
        if any(split in row for seed in run.seeds for row in seed.epochs):
            figures.append(score_curves(run, split))
        else:
            notes.append(f"There was no {split} score after each epoch.")
    if any(not seed.entry for seed in run.seeds):
        notes.append("Seeds without a dot were not concluded.")
    return Section("curves", "Learning curves", ["Dots: the chosen epochs.", *notes], figures)


def score_curves(run: RunMaterial, split: str, y_range: tuple[float, float] | None = None) -> Figure:
    """The score that the run watched, on a split, for every seed.

    Args:
        run: whose it is.
        split: dev or test.
        y_range: least and largest of the y axis, in percent; around the scores if left out.
    """
    monitor = run.summary["protocol"]["monitor"] if run.summary else "weighted_f1"
    series = []
    for seed in run.seeds:
        points = [(row["epoch"], 100 * row[split][monitor]) for row in seed.epochs if split in row]
        series.append(_series(seed, points))
    used = _used(run, split)
    title = f"{NAMES[monitor]} on {split}{used}"
    told = f"{NAMES[monitor]} on {split}, in percent, after every epoch, a line for each seed{used}."
    show = "{:g}".format
    return curves(f"curve-{split}", title[0].upper() + title[1:], told, series, show=show, y_range=y_range)


def _used(run: RunMaterial, split: str) -> str:
    """Whether the epochs were chosen by the scores of a split; nothing where no summary tells the protocol."""
    if not run.summary:
        return ""
    chosen_on = "test" if run.summary["selection"] == "selected on test" else "dev"
    return " (used for selection)" if split == chosen_on else " (not used for selection)"


def _loss(run: RunMaterial) -> Figure:
    series = [_series(seed, [(row["epoch"], row["loss"]) for row in seed.epochs]) for seed in run.seeds]
    told = "The objective on the training data after every epoch, a line for each seed."
    return curves("curve-objective", "Objective", told, series, show="{:g}".format)


def _series(seed: SeedMaterial, points: list[tuple[float, float]]) -> Series:
    chosen = seed.entry["selected"]["epoch"] if seed.entry else None
    return Series(f"seed {seed.seed}", points, next((point for point in points if point[0] == chosen), None))
