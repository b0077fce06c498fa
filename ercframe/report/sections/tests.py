"""Several runs tested against the first, as ``ercframe compare`` does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ercframe.comparison import compare, open_runs
from ercframe.errors import InputError
from ercframe.report.comparison_cells import differences, notes
from ercframe.report.page import Section, Table


def tests(runs: Sequence[Path], names: Sequence[str]) -> Section:
    """The differences to the first run with intervals and p-values; why there are none where runs do not compare."""
    try:
        found = compare(open_runs(runs), names=names)
    except InputError as error:
        reasons = [f"{one.where} {one.message}".strip() for one in error.problems]
        return Section("tests", "Tests", [f"Not tested: {'; '.join([error.title, *reasons])}."])
    grid = differences(found)
    table = Table(grid.title, [cell.text for cell in grid.heads], [[cell.text for cell in row] for row in grid.rows])
    told = "ercframe compare has other metrics, tests and baselines."
    return Section("tests", "Tests", [*notes(found), told], tables=[table])
