"""What the tables of a comparison say, whatever they are written in: columns, cells, the best of each, notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ercframe.report.table import GENERATED, SHORT, percent, told_of_test
from ercframe.report.words import mean_and_std
from ercframe.statistics.confusion import NAMES
from ercframe.wording import counted

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """A cell: what it says, whether it is the best of its column, and what it says where there is little room."""

    text: str
    best: bool = False
    short: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: its title, the heads of its columns, of which the first names the run, and a row for each run."""

    title: str
    heads: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


def grids(found: Mapping[str, Any]) -> Iterator[Grid]:
    """The tables of a comparison: scores, emotions, differences to the baseline, ways of choosing, seeds."""
    yield _scores(found)
    yield _classes(found)
    if len(found["runs"]) > 1:
        yield differences(found)
    yield selection(found)
    if any(len(run["seeds"]) > 1 for run in found["runs"]):
        yield _seeds(found)


def notes(found: Mapping[str, Any]) -> Iterator[str]:
    """What a reader must know to read the numbers."""
    if found["dataset"]["generated"]:
        yield f"{GENERATED}."
    drawn, test = found["intervals"], found["test"]
    several = any(len(run["seeds"]) > 1 for run in found["runs"])
    what = "dialogues and seeds" if several and drawn["seeds"] == "drawn" else "dialogues"
    spread = "mean ± std over the seeds (ddof 1); " if several else ""
    turns, dialogues = counted(found["turns"], "turn"), counted(found["dialogues"], "test dialogue")
    yield (
        f"In percent, on {turns} of {dialogues}; {spread}intervals: "
        f"{100 * drawn['level']:.0f} %, percentiles of {drawn['resamples']:,} bootstrap resamples of {what}."
    )
    differences = [run["difference"] for run in found["runs"] if run["difference"]]
    if differences:
        some = any(one["significant"] for one in differences)
        yield (
            f"{'* differs' if some else 'No run differs'} from {found['baseline']}: p {'<' if some else '≥'} "
            f"{test['alpha']} in {_test_name(test)} of {NAMES[test['metric']]}"
            f"{f', corrected after Holm for {len(differences)} tests' if len(differences) > 1 else ''}."
        )
    for run in found["runs"]:
        if run["not_tested"]:
            yield f"{run['name']} is not tested: it is {run['not_tested']}."
        if run["difference"] and set(run["difference"]["seeds"]) != set(run["seeds"]):
            seeds = ", ".join(map(str, run["difference"]["seeds"]))
            yield f"{run['name']} is held against the baseline over the seeds that both have: {seeds}."
        if not run["whole"]:
            seeds = f"{len(run['seeds'])} of {counted(run['seeds_wanted'], 'seed')}"
            yield f"{run['name']} is not finished ({run['status']}): {seeds}."
    yield from found["warnings"]


def _scores(found: Mapping[str, Any]) -> Grid:
    metric, tested = found["metric"], found["test"]["metric"]
    others = [name for name in NAMES if name != metric]
    heads = heads_of("run", "seeds", "parameters", metric, "95 % interval", *others)
    best = {name: _best(found, "scores", name) for name in NAMES}
    rows = []
    for run in found["runs"]:
        marked = tested if run["difference"] and run["difference"]["significant"] else None
        entry = run["scores"][metric]
        rows.append(
            (
                Cell(label(run)),
                Cell(str(len(run["seeds"]))),
                Cell(f"{run['parameters']:,}"),
                Cell(mean_and_std(entry) + "*" * (marked == metric), run in best[metric]),
                Cell(interval(entry)),
                *(with_std(run["scores"][name], run in best[name], "*" * (marked == name)) for name in others),
            )
        )
    return Grid(f"{found['dataset']['name']}, {found['split']}", heads, tuple(rows))


def _classes(found: Mapping[str, Any]) -> Grid:
    best = {name: _best(found, "f1", name) for name in found["labels"]}
    rows = [
        (Cell(label(run)), *(with_std(entry, run in best[name]) for name, entry in run["f1"].items()))
        for run in found["runs"]
    ]
    support = (Cell("turns"), *(Cell(f"{n:,}") for n in found["support"]))
    return Grid("F1 of each emotion", heads_of("run", *found["labels"]), (*rows, support))


def differences(found: Mapping[str, Any]) -> Grid:
    """The differences to the baseline, with intervals and p-values, of a comparison of at least two runs."""
    test = found["test"]
    heads = heads_of("run", "difference", "95 % interval", "p", "p, Holm")
    rows = []
    for run in found["runs"]:
        if run["name"] == found["baseline"]:
            continue
        one = run["difference"]
        cells = (
            [
                f"{100 * one['value']:+.2f}{'*' * one['significant']}",
                interval(one, "+"),
                p_value(one["p"]),
                p_value(one["p_holm"]),
            ]
            if one
            else ["not tested", "", "", ""]
        )
        rows.append((Cell(label(run)), *map(Cell, cells)))
    return Grid(
        f"{_capital(NAMES[test['metric']])} against {found['baseline']}, by {_test_name(test)}", heads, tuple(rows)
    )


def selection(found: Mapping[str, Any], first: str = "run", name: Callable[[Run], str] | None = None) -> Grid:
    """What choosing the best test epoch would have claimed, in the score that chose.

    Args:
        found: has ``runs``, a row each.
        first: what these are.
        name: what to call each; by :func:`label` if left out.
    """
    heads = heads_of(first, "chosen by", "reported", "selected on test", "gap", "last epoch")
    rows = []
    for run in found["runs"]:
        chose, told, last = run["monitor"], run["selected_on_test"], run["last"]
        rows.append(
            (
                Cell((name or label)(run)),
                _head(chose),
                Cell(mean_and_std(run["scores"][chose])),
                Cell(mean_and_std(told[chose]) if told else "not recorded"),
                Cell(f"{100 * told[chose]['gap']:+.2f}" if told else ""),
                Cell(mean_and_std(last[chose]) if last else ""),
            )
        )
    return Grid("What choosing the epoch on test would have claimed", heads, tuple(rows))


def _seeds(found: Mapping[str, Any]) -> Grid:
    """The score of every seed."""
    numbers = sorted({seed for run in found["runs"] for seed in run["seeds"]})
    rows = []
    for run in found["runs"]:
        scores = dict(zip(run["seeds"], run["scores"][found["metric"]]["seeds"], strict=True))
        rows.append((Cell(label(run)), *(Cell(percent(scores[n]) if n in scores else "") for n in numbers)))
    return Grid(f"{_capital(NAMES[found['metric']])} of every seed", heads_of("run", *map(str, numbers)), tuple(rows))


def heads_of(*names: str) -> tuple[Cell, ...]:
    """Heads of columns, the first of which names the rows."""
    return tuple(map(_head, names))


def _head(name: str) -> Cell:
    return Cell(NAMES.get(name, name), short=SHORT.get(name, ""))


def with_std(entry: Mapping[str, Any], best: bool = False, mark: str = "") -> Cell:
    """Mean and deviation; where there is little room the mean alone."""
    return Cell(mean_and_std(entry) + mark, best, short=percent(entry["mean"]) + mark)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def label(run: Run) -> str:
    """A run's name, with what must stand wherever its numbers do."""
    said = [
        *(["selected on test"] if run["selection"] == "selected on test" else []),
        *(["generated data"] if run["generated"] else []),
        *told_of_test(run),
        *([] if run["whole"] else ["unfinished"]),
    ]
    return f"{run['name']} ({', '.join(said)})" if said else str(run["name"])


def interval(entry: Mapping[str, Any], sign: str = "") -> str:
    """The ends of an interval, in percent."""
    low, high = entry["low"], entry["high"]
    return "none" if low is None else f"{100 * low:{sign}.2f} to {100 * high:{sign}.2f}"


def p_value(p: float) -> str:
    """A p-value with what of it means something: two digits, and never 0."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def _test_name(test: Mapping[str, Any]) -> str:
    return {
        "bootstrap": "a paired bootstrap",
        "randomisation": "approximate randomisation",
        "mcnemar": "McNemar's test",
    }[test["name"]]


def _best(found: Mapping[str, Any], part: str, name: str) -> Sequence[Run]:
    """The runs with the best mean as it is shown. Of runs chosen in two ways, those chosen on test are none."""
    fair = [run for run in found["runs"] if run["selection"] != "selected on test"] or list(found["runs"])
    if len(found["runs"]) == 1:
        return []
    shown = [round(100 * run[part][name]["mean"], 2) for run in fair]
    return [run for run, value in zip(fair, shown, strict=True) if value == max(shown)]
