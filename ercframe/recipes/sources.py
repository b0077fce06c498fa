"""Where each value of a recipe was written, and how a problem with it is reported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ercframe.errors import InputError, Problem
from ercframe.wording import counted


@dataclass(frozen=True)
class Place:
    """A position in a file, or a source without positions such as the command line."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


COMMAND_LINE = Place("command line")


@dataclass(frozen=True)
class Finding:
    """Something wrong with the value, or the key, written at ``place``."""

    place: Place
    key: str
    message: str


@dataclass(frozen=True)
class SourceMap:
    """Answers where a value was written.

    Attributes:
        recipe: the recipe as the user would name it, for an error's title.
        places: dotted key to the place of its value.
        extends: where ``recipe`` names the recipe it extends; None where it extends none.
    """

    recipe: str
    places: Mapping[str, Place] = field(default_factory=dict)
    extends: Place | None = None

    def place(self, key: str) -> Place:
        """The place of a dotted key, or of what encloses it where it was left out."""
        while key and key not in self.places:
            key = re.sub(r"(\.|^)[^.\[]*$|\[\d+\]$", "", key)
        return self.places.get(key, Place(self.recipe))

    def where(self, key: str) -> str:
        """``file:line:column`` or ``command line`` of a dotted key, or of what encloses it where it was left out."""
        return str(self.place(key))

    def error(self, findings: Iterable[Finding], help: str = "") -> InputError:
        """One error that reports every finding once, in reading order, with what came from another file marked."""
        problems = [self._problem(f) for f in dict.fromkeys(sorted(findings, key=self._reading_order))]
        count = counted(len(problems), "problem")
        return InputError(f"{count} in {self.recipe}", problems, help)

    def _problem(self, finding: Finding) -> Problem:
        place, message = finding.place, finding.message
        if place.line and place.source != self.recipe:
            message = f"{message} (from {place})"
            place = self.extends or place
        return Problem(f"{place.line}:{place.column}" if place.line else str(place), finding.key, message)

    def _reading_order(self, finding: Finding) -> tuple[int, int, int]:
        place = finding.place
        if place == COMMAND_LINE:
            return 2, 0, 0
        shown = place if place.source == self.recipe else self.extends or place
        return (1 if place.line else 0), shown.line, shown.column


def shown(path: Path) -> str:
    """A path as people would write it: relative where it lies below the current directory."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
