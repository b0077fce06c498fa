"""A drawing in SVG that takes its colours from the page, so that it can be read in light and in dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ercframe.drawing.svg import element

Point = tuple[float, float]
HEAD = 5.0


class Drawing:
    """Boxes, lines and words, all in the page's own text colour.

    Args:
        width: in units of the drawing, one of which is a CSS pixel at its natural size.
    """

    def __init__(self, width: float) -> None:
        self.width, self.height = width, 0.0
        self._parts: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, *, strong: bool = False) -> None:
        """A rectangle; a ``strong`` one is a part that somebody chose."""
        self._reach(y + height)
        radius, filled, edged = (6, 0.08, 0.9) if strong else (11, 0.0, 0.35)
        look: dict[str, object] = {
            "fill": "currentColor",
            "fill_opacity": filled,
            "stroke": "currentColor",
            "stroke_opacity": edged,
        }
        self._parts.append(element("rect", "", x=x, y=y, width=width, height=height, rx=radius, **look))

    def text(self, x: float, y: float, words: str, *, size: float = 12, anchor: str = "middle", link: str = "") -> None:
        """Words with their base line at ``y``, strong where they are a ``link``."""
        self._reach(y + size / 3)
        look: dict[str, object] = {"font_size": size, "text_anchor": anchor, "fill": "currentColor"}
        look |= {"font_weight": 600} if link else {}
        shown = element("text", escape(words), x=x, y=y, **look)
        self._parts.append(element("a", shown, href=link) if link else shown)

    def line(self, points: Sequence[Point], *, dashed: bool = False, head: bool = True) -> None:
        """A line through points; with a ``head``, its last stretch is vertical."""
        self._reach(max(y for _, y in points))
        (x, y), before = points[-1], points[-2]
        back = -1 if y > before[1] else 1
        ends = [*points[:-1], (x, y + back * HEAD)] if head else points
        path = "M" + " L".join(f"{px:g} {py:g}" for px, py in ends)
        look = {"stroke_dasharray": "3 4"} if dashed else {}
        self._parts.append(element("path", d=path, fill="none", stroke="currentColor", stroke_opacity=0.6, **look))
        if head:
            base = y + back * HEAD * 1.4
            corners = f"{x:g},{y:g} {x - HEAD * 0.7:g},{base:g} {x + HEAD * 0.7:g},{base:g}"
            self._parts.append(element("polygon", points=corners, fill="currentColor", fill_opacity=0.7))

    def render(self, title: str, description: str, identifier: str) -> str:
        """The drawing as an element of a page, with words for whoever cannot see it."""
        told = [
            element("title", escape(title), id=f"{identifier}-title"),
            element("desc", escape(description), id=f"{identifier}-description"),
        ]
        return element(
            "svg",
            "".join([*told, *self._parts]),
            **{"class": "erc-flow", "aria-labelledby": f"{identifier}-title {identifier}-description"},
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {self.width:g} {self.height + 4:g}",
            width=self.width,
            role="group",
            font_family="inherit",
        )

    def _reach(self, y: float) -> None:
        self.height = max(self.height, y)
