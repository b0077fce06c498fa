"""Something that is wrong with an installation, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]
"""error: something does not work. warning: it works, but look at it."""


@dataclass(frozen=True)
class Ailment:
    """One thing that is wrong.

    Attributes:
        level: how grave.
        message: what is wrong, in one line.
        todo: what to do about it.
        details: last lines of a traceback, or the like; may be empty.
    """

    level: Level
    message: str
    todo: str
    details: str = ""
