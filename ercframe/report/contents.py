"""What is on a report's page: of one run everything, of several what they have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ercframe.comparison.naming import Called, names
from ercframe.report.material import RunMaterial, blaming
from ercframe.report.measures import scored_turns
from ercframe.report.page import Section
from ercframe.report.sections.classes import classes
from ercframe.report.sections.dialogues import dialogues
from ercframe.report.sections.evaluated import evaluated
from ercframe.report.sections.maps import maps
from ercframe.report.sections.parts import heads, weights
from ercframe.report.sections.provenance import data, environment, recipe
from ercframe.report.sections.result import result
from ercframe.report.sections.several import Compared, side_by_side
from ercframe.report.sections.training import training
from ercframe.report.table import told_of_test
from ercframe.report.words import interval, with_std
from ercframe.scored_turns import ScoredTurns
from ercframe.statistics.confusion import NAMES
from ercframe.wording import counted


@dataclass(frozen=True)
class Page:
    """A whole report.

    Attributes:
        title: its heading.
        badges: words of a line below it; each with whether it is a warning.
        headline: scores in large type: name, value, interval.
        notes: what has to be known before anything else.
        sections: in order.
        generated: whether the data of any run are generated.
    """

    title: str
    badges: Sequence[tuple[str, bool]]
    headline: Sequence[tuple[str, str, str]]
    notes: Sequence[str]
    sections: Sequence[Section]
    generated: bool

    @property
    def warnings(self) -> str:
        """The badges that warn, such as ``selected on test, generated data``; empty where none does."""
        return ", ".join(words for words, warns in self.badges if warns)


@dataclass(frozen=True)
class Choices:
    """What whoever asks for a report may choose.

    Attributes:
        maps: ``pca`` or ``tsne``.
        dialogues: ids of test dialogues to show; those that are chosen if empty.
    """

    maps: str = "pca"
    dialogues: Sequence[str] = ()


def page_of_one(run: RunMaterial, choices: Choices) -> Page:
    """The report of a run, finished or not.

    Raises:
        InputError: something in the run folder is not as a run writes it, or the run has no such dialogue.
    """
    with blaming(run.path):
        test = scored_turns(run)
        headline = [
            (NAMES[name] + " on test", with_std(one), interval(one) and f"95 % interval {interval(one)}")
            for name, one in (test.headline if test else {}).items()
        ]
        return Page(
            title=f"{run.name} on {run.summary['dataset']['name']}" if run.summary else run.name,
            badges=list(_badges(run)),
            headline=headline,
            notes=list(_notes(run)),
            sections=list(_sections(run, test, choices)),
            generated=run.generated,
        )


def page_of_several(runs: Sequence[RunMaterial]) -> Page:
    """Runs side by side.

    Raises:
        InputError: something in a run folder is not as a run writes it.
    """
    compared = []
    for run, name in zip(runs, names([Called(run.name, run.settings, run.path) for run in runs]), strict=True):
        with blaming(run.path):
            compared.append(Compared(run, name, scored_turns(run)))
    generated = any(run.generated for run in runs)
    badges = [("generated data", True)] if generated else []
    sections = [*side_by_side(compared)]
    return Page(f"{len(runs)} runs side by side", badges, [], [], sections, generated)


def _sections(run: RunMaterial, test: ScoredTurns | None, choices: Choices) -> Iterator[Section]:
    if test is None:
        yield Section("result", "Result", ["No seed was concluded, so there are no scores."])
    else:
        yield result(run, test)
    yield training(run)
    if test is not None:
        yield classes(test)
        yield weights(run, test)
        yield heads(run, test)
        yield maps(run, choices.maps)
        yield dialogues(run, test, choices.dialogues)
        yield from evaluated(run)
    yield from (recipe(run), environment(run), data(run))


def _badges(run: RunMaterial) -> Iterator[tuple[str, bool]]:
    if run.summary:
        yield run.summary["selection"], run.summary["selection"] == "selected on test"
        yield from ((told, False) for told in told_of_test(run.summary["dataset"]))
    if run.generated:
        yield "generated data", True
    if run.status != "finished":
        yield run.status, True


def _notes(run: RunMaterial) -> Iterator[str]:
    yield from (run.summary["dataset"].get("warnings", []) if run.summary else [])
    if run.generated:
        yield "These conversations were drawn from a model; nobody spoke them. The numbers say nothing of people."
    if run.status != "finished":
        done = sum(bool(seed.entry and seed.entry.get("finished", True)) for seed in run.seeds)
        yield f"The run is not finished: {run.status}, with {counted(done, 'finished seed')}."
