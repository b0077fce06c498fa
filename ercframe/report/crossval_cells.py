"""What the tables of a cross-validation say, whatever they are written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ercframe.report.comparison_cells import Cell, Grid, heads_of, interval, selection, with_std
from ercframe.report.table import GENERATED
from ercframe.report.words import mean_and_std
from ercframe.statistics.confusion import NAMES
from ercframe.wording import counted

RECALL, MEAN, ALL = "UA (macro recall)", "mean of folds", "all dialogues"
COLUMNS = {"weighted_f1": "wF1", "accuracy": "acc.", "macro_recall": "UA", "macro_f1": "mF1"}
"""The scores in their order, and what they are called where there is little room."""


def crossval_grids(found: Mapping[str, Any]) -> Iterator[Grid]:
    """The tables of what :func:`ercframe.comparison.folds.cross_validated` returns."""
    yield _scores(found)
    yield _intervals(found)
    yield _classes(found)
    yield selection(found, "fold", lambda fold: str(fold["name"]))


def crossval_notes(found: Mapping[str, Any]) -> Iterator[str]:
    """What is averaged over what, and what the intervals are about."""
    if found["dataset"]["generated"]:
        yield f"{GENERATED}."
    seeds, several = counted(len(found["seeds"]), "seed"), len(found["seeds"]) > 1
    over_seeds = f"mean ± std over {seeds} (ddof 1)" if several else "of one seed"
    turns, dialogues = counted(found["turns"], "turn"), counted(found["dialogues"], "dialogue")
    yield (
        f"In percent. A fold is named after the group that was test there, for models trained on the other groups; "
        f"{over_seeds}. Dev: {_dev(found)}."
    )
    yield (
        f"Mean of folds: mean ± std (ddof 1) of the {len(found['runs'])} values above it; each fold counts the same, "
        "however large."
    )
    yield (
        f"All dialogues: the predictions of all folds as one test set, in which each of the {turns} of {dialogues} is "
        f"once, predicted by models that did not train on its group; scored once for each seed, {over_seeds}."
    )
    yield (
        f"{RECALL}: mean over the emotions of the share that is recognised, what speech papers call unweighted "
        "accuracy; accuracy is their weighted accuracy."
    )
    drawn, groups = found["intervals"]["dialogues"], found["intervals"]["groups"]
    what = "dialogues and seeds" if several else "dialogues"
    yield (
        f"Intervals: {100 * drawn['level']:.0f} %. Over dialogues: percentiles of {drawn['resamples']:,} bootstrap "
        f"resamples of {what}. Over groups, whose dialogues share speakers and models: delete-one jackknife, "
        f"Student's t with {groups['degrees']} degrees of freedom. Neither knows that the folds train on much the same "
        "dialogues."
    )
    yield from found["warnings"]


def _dev(found: Mapping[str, Any]) -> str:
    """What chose the epochs."""
    folds = found["runs"]
    if found["selection"] == "selected on test":
        return "none"
    if all(fold["dev_groups"] for fold in folds):
        return "another group, " + ", ".join(f"{', '.join(fold['dev_groups'])} for {fold['name']}" for fold in folds)
    sizes = sorted({fold["dialogues"]["dev"] for fold in folds})
    share = counted(sizes[0], "dialogue") if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} dialogues"
    return f"{share} of the other groups"


def _scores(found: Mapping[str, Any]) -> Grid:
    folds = [(fold["name"], fold["turns"], fold["scores"]) for fold in found["runs"]]
    over, pooled = found["over_folds"]["scores"], found["pooled"]["scores"]
    rows = [
        (Cell(name), Cell(f"{turns:,}" if turns else ""), *(Cell(mean_and_std(scores[key])) for key in COLUMNS))
        for name, turns, scores in [*folds, (MEAN, None, over), (ALL, found["turns"], pooled)]
    ]
    heads = (Cell(NAMES.get(key, RECALL), short=short) for key, short in COLUMNS.items())
    recipe = found["runs"][0]["recipe"].removesuffix(f"-{found['runs'][0]['name']}")
    title = f"{recipe} on {found['dataset']['name']}, one group left out at a time: {_told(found)}"
    return Grid(title, (*heads_of("fold", "turns"), *heads), tuple(rows))


def _intervals(found: Mapping[str, Any]) -> Grid:
    rows = []
    for key in COLUMNS:
        one = found["pooled"]["scores"][key]
        ends = Cell(interval(one)), Cell(interval(one["groups"]))
        rows.append((Cell(NAMES.get(key, RECALL)), Cell(mean_and_std(one)), *ends))
    heads = heads_of("score", ALL, "95 %, over dialogues", "95 %, over groups")
    return Grid(f"Intervals of all dialogues, {_told(found)}", heads, tuple(rows))


def _classes(found: Mapping[str, Any]) -> Grid:
    folds = [(fold["name"], fold["f1"]) for fold in found["runs"]]
    parts = [*folds, (MEAN, found["over_folds"]["f1"]), (ALL, found["pooled"]["f1"])]
    rows = [(Cell(name), *(with_std(f1[emotion]) for emotion in found["labels"])) for name, f1 in parts]
    support = (Cell("turns"), *(Cell(f"{n:,}") for n in found["support"]))
    return Grid(f"F1 of each emotion, {_told(found)}", heads_of("fold", *found["labels"]), (*rows, support))


def _told(found: Mapping[str, Any]) -> str:
    """What must stand wherever the numbers do."""
    return ", ".join([found["selection"], *(["generated data"] if found["dataset"]["generated"] else [])])
