"""A canvas as SVG: within a page, whose colours it takes, or as a file with the colours of light paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from ercframe.drawing.canvas import Box, Canvas, Dots, Line, Mark, Words
from ercframe.drawing.palette import PALETTE

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
Paint = Callable[[str], str]


def svg_in_page(canvas: Canvas, identifier: str, title: str, description: str) -> str:
    """An ``svg`` element with CSS variables for colours and the page's font.

    Args:
        canvas: what to draw.
        identifier: unique in the page.
        title: read out for it.
        description: what it shows, for whoever cannot see it.
    """
    told = [
        element("title", _text(title), id=f"{identifier}-title"),
        element("desc", _text(description), id=f"{identifier}-desc"),
    ]
    return element(
        "svg",
        "".join([*told, *(_mark(mark, lambda name: f"var(--{name})") for mark in canvas.marks)]),
        **_size(canvas),
        **{"aria-labelledby": f"{identifier}-title {identifier}-desc"},
        role="img",
        font_family="inherit",
    )


def svg_file(canvas: Canvas, title: str, description: str) -> str:
    """A whole SVG file on white paper."""
    paint: Paint = lambda name: PALETTE[name][0]  # noqa: E731 - a name for what is passed on twice
    told = [element("title", _text(title)), element("desc", _text(description))]
    paper = element("rect", width="100%", height="100%", fill=paint("paper"))
    drawn = [*told, paper, *(_mark(mark, paint) for mark in canvas.marks)]
    xmlns = "http://www.w3.org/2000/svg"
    return element("svg", "\n".join(drawn), xmlns=xmlns, **_size(canvas), role="img", font_family=FONT) + "\n"


def element(tag: str, content: str = "", **attributes: object) -> str:
    """An element; underscores in the names of attributes stand for hyphens, numbers are rounded."""
    shown = {name.replace("_", "-"): _number(v) if isinstance(v, float) else str(v) for name, v in attributes.items()}
    written = "".join(f' {name}="{escape(value)}"' for name, value in shown.items())
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def _size(canvas: Canvas) -> dict[str, object]:
    width, height = float(canvas.width), canvas.height + 4
    return {"viewBox": f"0 0 {_number(width)} {_number(height)}", "width": width, "height": height}


def _mark(mark: Mark, paint: Paint) -> str:
    match mark:
        case Box():
            return _box(mark, paint)
        case Line():
            return _line(mark, paint)
        case Dots():
            return _dots(mark, paint)
        case Words():
            return _words(mark, paint)


def _box(mark: Box, paint: Paint) -> str:
    look: dict[str, object] = {"fill": paint(mark.colour)}
    look |= {"fill_opacity": mark.opacity} if mark.opacity < 1 else {}
    place = {"x": mark.x, "y": mark.y, "width": max(mark.width, 0.0), "height": mark.height}
    told = element("title", _text(mark.told)) if mark.told else ""
    return element("rect", told, **{name: float(value) for name, value in place.items()}, **look)


def _line(mark: Line, paint: Paint) -> str:
    look: dict[str, object] = {"stroke": paint(mark.colour), "stroke_width": mark.width, "fill": "none"}
    look |= {"stroke_dasharray": "4 3"} if mark.dashed else {}
    look |= {"stroke_opacity": mark.opacity} if mark.opacity < 1 else {}
    path = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in mark.points)
    return element("path", "", d=path, **look)


def _dots(mark: Dots, paint: Paint) -> str:
    """All in one path of strokes without length, whose caps are the dots: a tenth of the size of as many circles."""
    path = "".join(f"M{_number(x)} {_number(y)}h0" for x, y in mark.points)
    cap = "square" if mark.square else "round"
    look: dict[str, object] = {"stroke": paint(mark.colour), "stroke_width": 2 * mark.radius, "stroke_linecap": cap}
    look |= {"stroke_opacity": mark.opacity} if mark.opacity < 1 else {}
    return element("path", "", d=path, fill="none", **look)


def _words(mark: Words, paint: Paint) -> str:
    place: dict[str, object] = {"x": float(mark.x), "y": float(mark.y), "font_size": mark.size}
    if mark.turned:
        place["transform"] = f"rotate(-90 {_number(mark.x)} {_number(mark.y)})"
    look: dict[str, object] = {"text_anchor": mark.anchor, "fill": paint(mark.colour)}
    look |= {"font_weight": 600} if mark.bold else {}
    return element("text", _text(mark.words), **place, **look)


def _text(words: str) -> str:
    """Escaped, and without the control characters that XML does not have."""
    return escape(_NOT_IN_XML.sub("\ufffd", words))


def _number(value: float) -> str:
    """With two digits after the point, so that other processors write the same."""
    return f"{round(value, 2) + 0.0:g}" if abs(value) < 1e4 else f"{value:.0f}"
