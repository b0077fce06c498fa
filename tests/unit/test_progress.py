"""The bars of seeds that train."""

import io

import pytest
from rich.console import Console

from ercframe.cli.progress import ConsoleReporter
from ercframe.metrics import Scores
from ercframe.training.epoch import Epoch


def epoch(number: int) -> Epoch:
    scores = Scores(accuracy=0.5, weighted_f1=0.25, macro_f1=0.1, f1=(0.1, 0.1), confusion=((1, 1), (1, 1)))
    return Epoch(number, 1.5, {"task.nll": 1.5}, scores, None, 0.25)


@pytest.fixture
def screen() -> tuple[ConsoleReporter, io.StringIO]:
    shown = io.StringIO()
    return ConsoleReporter(Console(file=shown, force_terminal=True, width=120)), shown


def test_seeds_side_by_side_have_a_bar_each_until_they_are_done(screen):
    reporter, shown = screen
    for seed in (3, 4):
        reporter.seed_started(seed, epochs=8)
    reporter.epoch_done(4, epoch(2), is_best=True)
    assert [(task.fields["seed"], task.completed, task.total) for task in reporter.bars.tasks] == [(3, 0, 8), (4, 2, 8)]
    assert reporter.bars.tasks[1].fields["note"] == "loss 1.500  dev wF1 25.00  best"
    reporter.seed_done(4)
    reporter.seed_started(5, epochs=8)
    assert [task.fields["seed"] for task in reporter.bars.tasks] == [3, 5]
    reporter.seed_done(3)
    reporter.seed_done(5)
    assert reporter.bars is None
    assert "seed 3" in shown.getvalue()


def test_elsewhere_each_epoch_is_a_line_that_names_its_seed():
    shown = io.StringIO()
    reporter = ConsoleReporter(Console(file=shown, width=120))
    for seed in (3, 4):
        reporter.seed_started(seed, epochs=8)
        reporter.epoch_done(seed, epoch(1), is_best=False)
    assert shown.getvalue().splitlines() == [
        f"seed {seed}  epoch   1  loss 1.500  dev wF1 25.00  0.2 s" for seed in (3, 4)
    ]
