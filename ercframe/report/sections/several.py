"""Several runs side by side: scores, emotions, learning curves, and what differs between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ercframe.report.figures.intervals import Bars, interval_bars
from ercframe.report.material import RunMaterial
from ercframe.report.page import Figure, Section, Table
from ercframe.report.sections.tests import tests
from ercframe.report.sections.training import score_curves
from ercframe.report.table import percent, told_of_test
from ercframe.report.words import interval, with_std
from ercframe.scored_turns import ScoredTurns
from ercframe.statistics.confusion import NAMES
from ercframe.statistics.over_seeds import Estimate


@dataclass(frozen=True)
class Compared:
    """A run among others; without scores where no seed was concluded.

    Attributes:
        run: what it left.
        name: different from the others'.
        test: what its seeds predict.
    """

    run: RunMaterial
    name: str
    test: ScoredTurns | None

    @property
    def headline(self) -> dict[str, Estimate]:
        """The headline scores; none without predictions."""
        return self.test.headline if self.test else {}


def side_by_side(compared: Sequence[Compared]) -> Iterator[Section]:
    """The sections of a comparison."""
    with_scores = [one for one in compared if one.test]
    yield _scores(compared, with_scores)
    yield tests([one.run.path for one in compared], [one.name for one in compared])
    if with_scores:
        yield _emotions(with_scores)
    yield _curves(compared)
    yield _data(compared)
    yield Section("recipes", "Recipes", code=[(one.name, one.run.recipe) for one in compared], plain=True)


def _scores(compared: Sequence[Compared], with_scores: Sequence[Compared]) -> Section:
    head = [
        "run",
        "protocol",
        "seeds",
        "weighted F1",
        "95 % interval",
        "accuracy",
        "macro F1",
        "oracle wF1",
        "gap",
        "parameters",
    ]
    table = Table("Test, in percent; mean ± std over seeds", head, [_row(one) for one in compared])
    groups = [Bars(told, [one.headline.get(name) for one in with_scores]) for name, told in NAMES.items()]
    names = [_told(one) for one in with_scores]
    told = "The scores of each run on test, with 95 % intervals over dialogues."
    figures = [interval_bars("scores", "Scores on test, in percent", told, groups, names)] if with_scores else []
    return Section("scores", "Scores", list(_warnings(compared, with_scores)), figures, [table])


def _row(one: Compared) -> list[str]:
    summary = one.run.summary
    if not summary or not one.test:
        return [_told(one), *["none"] * 9]
    f1 = one.headline["weighted_f1"]
    claimed, gap = _oracle(one)
    return [
        _told(one),
        summary["selection"],
        str(len(one.run.concluded)),
        with_std(f1),
        interval(f1),
        with_std(one.headline["accuracy"]),
        with_std(one.headline["macro_f1"]),
        claimed,
        gap,
        f"{summary['parameters']:,}",
    ]


def _oracle(one: Compared) -> tuple[str, str]:
    """What choosing on test would have claimed in weighted F1, and by how much more."""
    assert one.run.summary
    over = one.run.summary["over_seeds"]
    if "selected_on_test" not in over:
        return "not scored", ""
    claimed = over["selected_on_test"]["test"]["weighted_f1"]["mean"]
    return percent(claimed), f"{100 * (claimed - one.headline['weighted_f1'].value):+.2f}"


def _told(one: Compared) -> str:
    """Its name, with what has to be known of it."""
    selection = one.run.summary["selection"] if one.run.summary else ""
    marks = {
        "selected on test": selection == "selected on test",
        "generated data": one.run.generated,
        one.run.status: one.run.status != "finished",
    }
    test = told_of_test(one.run.summary["dataset"]) if one.run.summary else []
    told = ", ".join([*(mark for mark, holds in marks.items() if holds), *test])
    return f"{one.name} ({told})" if told else one.name


def _warnings(compared: Sequence[Compared], with_scores: Sequence[Compared]) -> Iterator[str]:
    yield (
        "Intervals are over dialogues, for these seeds' models. Intervals of two runs that overlap do not mean that "
        "neither is better: the tests are on the same dialogues."
    )
    if any(not one.test for one in compared):
        yield "Runs with 'none' have no concluded seed."
    if len({str(one.run.summary["selection"]) for one in with_scores if one.run.summary}) > 1:
        yield "Not all epochs were chosen in the same way: scores selected on test are too high beside the others."
    if len({_turns(one) for one in with_scores}) > 1:
        yield "These runs were not scored on the same utterances and labels: their scores must not be compared."


def _turns(one: Compared) -> tuple[tuple[tuple[str, str], str], ...]:
    """The turns that were scored, each with its emotion."""
    test = one.test
    return tuple(zip(test.ids, [test.labels[i] for i in test.label], strict=True)) if test else ()


def _emotions(with_scores: Sequence[Compared]) -> Section:
    labels = list(dict.fromkeys(label for one in with_scores for label in one.run.labels))
    groups = [Bars(label, [one.test.f1.get(label) if one.test else None for one in with_scores]) for label in labels]
    told = "F1 of each emotion for each run, with 95 % intervals over dialogues."
    names = [_told(one) for one in with_scores]
    return Section(
        "emotions",
        "Emotions",
        figures=[interval_bars("f1", "F1 of each emotion on test, in percent", told, groups, names, "emotion")],
    )


def _curves(compared: Sequence[Compared]) -> Section:
    """Dev of every run, or test where it has none, all from the least to the largest score."""
    figures: list[Figure] = []
    shown = [(one, "dev" if _has(one, "dev") else "test") for one in compared if _has(one, "dev") or _has(one, "test")]
    values = [
        100 * row[split][_monitor(one)]
        for one, split in shown
        for seed in one.run.seeds
        for row in seed.epochs
        if split in row
    ]
    for number, (one, split) in enumerate(shown):
        room = 0.04 * (max(values) - min(values)) or 1.0
        figure = score_curves(one.run, split, (min(values) - room, max(values) + room))
        figures.append(replace(figure, name=f"curve-{number}", title=f"{_told(one)}: {figure.title}"))
    return Section("curves", "Learning curves", ["All have the same scale. Dots: the chosen epochs."], figures)


def _data(compared: Sequence[Compared]) -> Section:
    """What each run was trained on; the same digest is the same data."""
    rows = []
    for one in compared:
        dataset = one.run.summary["dataset"] if one.run.summary else {}
        sizes = ", ".join(f"{count:,} {split}" for split, count in dataset.get("dialogues", {}).items() if count)
        inputs = ", ".join(one.run.modalities)
        rows.append([_told(one), dataset.get("name", ""), sizes, inputs, str(one.run.environment.get("data", ""))[:12]])
    head = ["run", "corpus", "dialogues", "modalities", "digest of the data"]
    return Section("data", "Data", tables=[Table("What the runs were trained on", head, rows, words=True)], plain=True)


def _has(one: Compared, split: str) -> bool:
    return any(split in row for seed in one.run.seeds for row in seed.epochs)


def _monitor(one: Compared) -> str:
    return one.run.summary["protocol"]["monitor"] if one.run.summary else "weighted_f1"
