"""Runs beside each other: scores with intervals, tests against a baseline, and what cannot be compared.

Reads run folders only; neither recipes nor plugins are loaded, so nothing in a run folder is executed.
"""

from ercframe.comparison.compare import compare
from ercframe.comparison.finished import FinishedRun, open_runs

__all__ = ["FinishedRun", "compare", "open_runs"]
