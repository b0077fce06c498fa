"""What a page is made of: sections of figures, tables and conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ercframe.drawing.canvas import Canvas


@dataclass(frozen=True)
class Table:
    """A table of words; the first column names the rows.

    Attributes:
        title: above it.
        head: names of the columns.
        rows: a cell for each column.
        words: whether all columns are words, so that none is set right.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawing with the words for whoever cannot see it.

    Attributes:
        name: of its files, and unique in a report.
        title: what it shows, above it.
        description: what is to be seen, in a sentence or two.
        canvas: the drawing.
        table: the same as numbers, where they are few enough to be read.
    """

    name: str
    title: str
    description: str
    canvas: Canvas
    table: Table | None = None


@dataclass(frozen=True)
class Turn:
    """A turn of a conversation as it is shown; ``shares`` are the modalities' weights."""

    speaker: str
    text: str
    label: str
    prediction: str
    right: str
    is_right: bool
    shares: Sequence[tuple[str, float, str]] = ()


@dataclass(frozen=True)
class Conversation:
    """A dialogue with its turns, and the figure below them."""

    name: str
    told: str
    turns: Sequence[Turn]
    figure: Figure | None = None
    opened: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading.

    Attributes:
        identifier: unique in the page.
        title: its heading.
        notes: paragraphs below it: what the numbers mean, or why there are none.
        figures: side by side where there is room.
        tables: below each other.
        conversations: to be opened.
        code: name and text of what is shown as it is.
        plain: whether there are no scores in it, which have to be labelled where the data are generated.
    """

    identifier: str
    title: str
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    conversations: Sequence[Conversation] = ()
    code: Sequence[tuple[str, str]] = ()
    plain: bool = False

    def all_figures(self) -> list[Figure]:
        """Those of its conversations, too."""
        return [*self.figures, *(one.figure for one in self.conversations if one.figure)]
