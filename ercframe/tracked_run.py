"""What a tracker is told of the run that it observes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrackedRun:
    """A run as it begins, or is gone on with.

    Attributes:
        id: letters and digits; no other run has them, and a run that is resumed keeps them.
        name: of the recipe.
        folder: the run folder. A tracker that writes files does so below it, unless its settings say otherwise.
        selection: how the epoch of the result is chosen, ``"selected on dev"`` or ``"selected on test"``; to be shown
            beside every score.
        settings: all of the resolved recipe that results come from: mappings, lists, numbers and text.
        facts: what else belongs beside the scores, such as the dataset, and whether it is generated.
        resumed: whether a process that was stopped has told of this run before.
    """

    id: str
    name: str
    folder: Path
    selection: str
    settings: Mapping[str, Any]
    facts: Mapping[str, str | int | float | bool]
    resumed: bool

    @property
    def title(self) -> str:
        """Recipe and time, such as ``sdt_iemocap 2026-01-31_12-00-00``."""
        return f"{self.name} {self.folder.name}"
