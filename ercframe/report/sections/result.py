"""The result: the scores, each seed, and what choosing on test would have claimed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ercframe.report.material import RunMaterial
from ercframe.report.page import Section, Table
from ercframe.report.table import SHORT, percent
from ercframe.scored_turns import ScoredTurns
from ercframe.statistics.bootstrap import RESAMPLES
from ercframe.statistics.confusion import NAMES
from ercframe.statistics.over_seeds import FEW, Estimate
from ercframe.wording import counted


def result(run: RunMaterial, test: ScoredTurns) -> Section:
    """What the scores above mean, and a row for each seed."""
    return Section("result", "Result", list(_notes(run, test)), tables=[_seeds(run)])


def oracle_told(run: RunMaterial, scores: Mapping[str, Estimate]) -> str:
    """What choosing on test would have claimed, in a sentence; empty where the run did not look."""
    assert run.summary
    over, monitor = run.summary["over_seeds"], run.summary["protocol"]["monitor"]
    if run.summary["selection"] == "selected on test":
        return (
            "The epochs were chosen by their test scores, as many publications do it: these numbers are higher than "
            "what the models reach on data that nobody has looked at."
        )
    if "selected_on_test" not in over:
        return "Test was scored once, at the end: what choosing the epoch on test would have claimed is not known."
    claimed = over["selected_on_test"]["test"][monitor]["mean"]
    gap = 100 * (claimed - scores[monitor].value)
    return (
        f"Choosing the epoch on test would have claimed {percent(claimed)} {NAMES[monitor]}, "
        f"{gap:+.2f} points beside the result of {percent(scores[monitor].value)}."
    )


def _notes(run: RunMaterial, test: ScoredTurns) -> Iterator[str]:
    yield oracle_told(run, test.headline)
    yield (
        f"The interval is about the dialogues: percentiles of {RESAMPLES:,} resamples of the {len(test.dialogues)} "
        f"test dialogues ({counted(len(test.label), 'scored turn')}), the same for every seed, of the mean over "
        "seeds. The deviation is about the seeds, with ddof 1."
    )
    if run.average:
        yield (
            f"The scores are of weights averaged over training ({run.average}), and by these the epochs were chosen; "
            "the learning curve of the objective is of the weights in training."
        )
    if len(test.dialogues) < FEW:
        yield f"There are fewer than {FEW} test dialogues: the intervals are too narrow."
    if len(run.concluded) == 1:
        yield "There is one seed: what another one would change is not known."


def _seeds(run: RunMaterial) -> Table:
    """As the terminal shows it, a row for each seed."""
    assert run.summary
    monitor = run.summary["protocol"]["monitor"]
    short = SHORT[monitor]
    head = ["seed", "epoch", f"dev {short}", *(f"test {name}" for name in SHORT.values())]
    gap = all("selected_on_test" in entry for entry in run.summary["seeds"])
    head += ["oracle epoch", f"oracle {short}", "gap", f"last {short}"] if gap else []
    rows = [list(_seed(entry, monitor, gap)) for entry in run.summary["seeds"]]
    told = ". Oracle: choosing the best test epoch; gap: by how much more it claims" if gap else ""
    return Table(f"Every seed, in percent{told}", head, rows)


def _seed(entry: Mapping[str, Any], monitor: str, gap: bool) -> Iterator[str]:
    chosen = entry["selected"]
    yield str(entry["seed"]) + ("" if entry.get("finished", True) else " (interrupted)")
    yield str(chosen["epoch"])
    yield percent(chosen["dev"][monitor]) if "dev" in chosen else "no dev"
    yield from (percent(chosen["test"][name]) for name in SHORT)
    if gap:
        oracle, last = entry["selected_on_test"], entry["last"]
        claimed = oracle["test"][monitor]
        yield str(oracle["epoch"])
        yield percent(claimed)
        yield f"{100 * (claimed - chosen['test'][monitor]):+.2f}"
        yield percent(last["test"][monitor])
