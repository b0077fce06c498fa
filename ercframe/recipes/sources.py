"""Where each value of a recipe was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SourceMap:
    """Answers where a value was written, for errors.

    Attributes:
        recipe: the recipe as the user would name it, for an error's title.
        places: dotted key to ``file:line:column`` or ``command line``.
    """

    recipe: str
    places: Mapping[str, str] = field(default_factory=dict)

    def where(self, key: str) -> str:
        """``file:line:column`` or ``command line`` of a dotted key; of what encloses it where it was left out."""
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        return self.places.get(key, self.recipe)
