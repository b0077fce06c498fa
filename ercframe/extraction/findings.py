"""What an extraction tells at its end: which turns have no features and why, and what else was noticed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from ercframe.data.findings import Finding, Level
from ercframe.data.reader import Bundle
from ercframe.extraction.blocks import Missing
from ercframe.wording import counted


def findings(
    bundle: Bundle, modality: str, missing: Mapping[int, Missing], remarks: Mapping[int, str]
) -> list[Finding]:
    """One finding for each reason and each remark, with the turns that it concerns.

    Args:
        bundle: whose rows they are.
        modality: what was extracted.
        missing: why rows have no features.
        remarks: what is worth telling about rows.
    """
    return [
        Finding(level, topic, f"{modality}: {counted(len(rows), 'utterance')} {what}", tuple(bundle.places(rows)))
        for (level, topic, what), rows in _grouped(missing, remarks).items()
    ]


def _grouped(missing: Mapping[int, Missing], remarks: Mapping[int, str]) -> dict[tuple[Level, str, str], list[int]]:
    groups: dict[tuple[Level, str, str], list[int]] = defaultdict(list)
    for row, why in sorted(missing.items()):
        kind: tuple[Level, str] = ("warning", "broken") if why.broken else ("note", "not available")
        groups[(*kind, f"not available: {why.reason}")].append(row)
    for row, remark in sorted(remarks.items()):
        groups["note", "remark", remark].append(row)
    return groups
