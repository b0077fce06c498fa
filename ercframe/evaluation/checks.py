"""What must hold before a run is evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from ercframe.build import Experiment
from ercframe.data.dialogue import Dialogue
from ercframe.errors import InputError, nearest
from ercframe.loading import TrainedRun


def finished_seeds(trained: TrainedRun, asked: int | None) -> tuple[int, ...]:
    """The seeds to evaluate.

    Raises:
        InputError: one is not trained to its end.
    """
    seeds = trained.seeds if asked is None else (trained.choose_seed(asked).seed,)
    unfinished = [entry["seed"] for entry in trained.summary["seeds"] if not entry["finished"]]
    status = trained.summary["status"]
    if (asked is None and status != "finished") or asked in unfinished:
        whole = [seed for seed in trained.seeds if seed not in unfinished]
        one = f"\nTo evaluate one of its finished seeds, {', '.join(map(str, whole))}: --seed N" if whole else ""
        what = "the run" if asked is None else f"seed {asked} of the run"
        raise InputError(
            f"{what} in {trained.folder.path} must be finished (it is {status})",
            help=f"To go on with it: ercframe run {trained.folder.path} --resume{one}",
        )
    return seeds


def modalities_to_drop(drop: Sequence[str], modalities: Sequence[str]) -> tuple[str, ...]:
    """Modalities to hide, in the order of the recipe.

    Raises:
        InputError: one is unknown, or none would be left.
    """
    unknown = [f"'{m}'{nearest(m, modalities)}" for m in dict.fromkeys(drop) if m not in modalities]
    if unknown:
        raise InputError(f"--drop must name modalities of the run, {', '.join(modalities)} (got {', '.join(unknown)})")
    if set(drop) == set(modalities):
        raise InputError(f"--drop must leave a modality of the run, {', '.join(modalities)} (got all of them)")
    return tuple(m for m in modalities if m in drop)


def dialogues_of(experiment: Experiment, split: str) -> Sequence[Dialogue]:
    """The dialogues of dev or test.

    Raises:
        InputError: it is another split, or the run has no dev.
    """
    splits = {"dev": experiment.splits.dev, "test": experiment.splits.test}
    if split not in splits:
        raise InputError(f"--split must be dev or test (got '{split}')")
    if not splits[split]:
        raise InputError(f"--split {split}: the run has {experiment.splits.dev_origin}")
    return splits[split]
