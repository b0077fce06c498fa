"""How a report writes numbers: in percent, two digits after the point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ercframe.report.table import percent
from ercframe.statistics.over_seeds import Estimate


def with_std(one: Estimate) -> str:
    """``67.12 ± 0.53``, or without the deviation of one seed."""
    return mean_and_std({"mean": one.value, "std": None if math.isnan(one.std) else one.std})


def mean_and_std(found: Mapping[str, Any]) -> str:
    """Likewise, of what :func:`ercframe.summary.spread` returns."""
    mean, std = found["mean"], found["std"]
    return percent(mean) if std is None else f"{percent(mean)} ± {percent(std)}"


def interval(one: Estimate) -> str:
    """``65.01 to 69.20``; nothing where no resample had it."""
    return "" if math.isnan(one.low) else f"{percent(one.low)} to {percent(one.high)}"
