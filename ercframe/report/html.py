"""A report as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import ercframe
from ercframe.drawing.palette import PALETTE
from ercframe.drawing.svg import svg_in_page
from ercframe.report.contents import Page
from ercframe.report.page import Figure

_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What JSON may hold, and a page in UTF-8 must not."""


def html(page: Page) -> str:
    """The page; the same one gives the same text.

    What comes from a run is escaped wherever it stands, and the page's own rules let a browser fetch nothing and run
    no script but the one in it, which is named by its digest.
    """
    environment = Environment(
        loader=PackageLoader("ercframe.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = _svg
    script = _file("theme.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = environment.get_template("report.html.j2").render(
        page=page,
        style=Markup(_file("style.css")),
        script=Markup(script),
        digest=digest,
        light=Markup(_variables(0)),
        dark=Markup(_variables(1)),
        series=sorted(name for name in PALETTE if name.startswith("k")),
        version=ercframe.__version__,
    )
    return _NO_CHARACTER.sub("\ufffd", text)


def _svg(figure: Figure) -> Markup:
    return Markup(svg_in_page(figure.canvas, f"figure-{figure.name}", figure.title, figure.description))


def _variables(theme: int) -> str:
    return " ".join(f"--{name}: {colours[theme]};" for name, colours in PALETTE.items())


def _file(name: str) -> str:
    return files("ercframe.report").joinpath("templates", name).read_text(encoding="utf-8")
