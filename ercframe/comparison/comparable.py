"""Whether runs can stand beside each other: the same turns of test with the same labels, of the same data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ercframe.comparison.finished import FinishedRun
from ercframe.errors import InputError, Problem
from ercframe.protocol import OWN


def require_comparable(runs: Sequence[FinishedRun], names: Sequence[str], baseline: int, other_data: bool) -> None:
    """Refuse runs whose scores are not of the same thing.

    Args:
        runs: the runs.
        names: what to call them.
        baseline: the run that the others are held against.
        other_data: whether the same turns from different bundles will do, as with other features.

    Raises:
        InputError: says of each run that differs from the baseline why it cannot be compared with it.
    """
    problems = []
    for run, name in zip(runs, names, strict=True):
        problems += [Problem(name, "", reason) for reason in _differences(run, runs[baseline], other_data)]
    if problems:
        count = len({problem.where for problem in problems})
        raise InputError(
            f"{count} of the runs cannot be compared with the baseline, {names[baseline]}",
            problems,
            "Compare runs on the same test split, or leave these out.",
        )


def _differences(run: FinishedRun, base: FinishedRun, other_data: bool) -> Iterator[str]:
    ours, theirs = run.summary["dataset"]["labels"], base.summary["dataset"]["labels"]
    if ours != theirs:
        yield f"must have the labels {', '.join(theirs)} (got {', '.join(ours)})"
        return
    if run.test.ids != base.test.ids:
        both, mine = set(base.test.ids), set(run.test.ids)
        yield (
            f"must be scored on the same turns of test ({len(both - mine):,} of the baseline's {len(both):,} are "
            f"missing, {len(mine - both):,} are others{_other_split(run, base)})"
        )
        return
    if different := int((run.test.label != base.test.label).sum()):
        yield f"must have the same labels of the turns of test ({different:,} of {len(run.test.label):,} differ)"
    if not other_data and _other_bundle(run, base):
        yield "must be of the same data (its digest differs; --other-data compares nevertheless)"
    if not set(run.seed_numbers) & set(base.seed_numbers):
        yield (
            f"must have a seed that the baseline has, {', '.join(map(str, base.seed_numbers))} "
            f"(got {', '.join(map(str, run.seed_numbers))})"
        )


def _other_split(run: FinishedRun, base: FinishedRun) -> str:
    """Where the test of each comes from, if that is not the same."""
    ours, theirs = (one.summary["dataset"].get("test", OWN) for one in (run, base))
    return f": its test is {ours}, the baseline's {theirs}" if ours != theirs else ""


def _other_bundle(run: FinishedRun, base: FinishedRun) -> bool:
    """Whether the data is known to be another; runs of some older versions recorded nothing of it."""
    for key in ("dataset", "data"):
        ours, theirs = run.environment.get(key), base.environment.get(key)
        if ours is not None and theirs is not None:
            return bool(ours != theirs)
    return False
