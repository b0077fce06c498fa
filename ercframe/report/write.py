"""Writing reports: the page, and its figures as files for papers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ercframe.drawing.pdf import write_pdf
from ercframe.drawing.svg import svg_file
from ercframe.errors import InputError
from ercframe.files import write_text
from ercframe.report.contents import Choices, Page, page_of_one, page_of_several
from ercframe.report.html import html
from ercframe.report.material import RunMaterial
from ercframe.report.page import Figure


def read_page(runs: Sequence[Path], choices: Choices | None = None) -> Page:
    """What a report of these run folders shows; reads nothing else.

    Raises:
        InputError: one is no run folder, or files in it are missing or damaged, or the choices do not fit.
    """
    found = [RunMaterial.open(path) for path in runs]
    if len(found) == 1:
        return page_of_one(found[0], choices or Choices())
    if choices and choices != Choices():
        raise InputError("--maps and --dialogue are for the report of one run (got several)")
    return page_of_several(found)


def write_report(run: Path) -> None:
    """Write ``report.html`` into a run folder, in place of the one before.

    Raises:
        InputError: as :func:`read_page`.
        OSError: it cannot be written.
    """
    write_text(run / "report.html", html(read_page([run])))


def write_figures(page: Page, folder: Path) -> list[Path]:
    """Write every figure of a page as SVG and PDF, on white paper; what was written."""
    written = []
    for figure in (figure for section in page.sections for figure in section.all_figures()):
        title = f"{page.title}: {figure.title}"
        if page.warnings:
            title += f" ({page.warnings})"
            _mark(figure, page.warnings)
        name = re.sub(r"[^\w-]+", "-", figure.name)  # part of it may come from the run
        svg, pdf = folder / f"{name}.svg", folder / f"{name}.pdf"
        write_text(svg, svg_file(figure.canvas, title, figure.description))
        write_pdf(figure.canvas, pdf, title)
        written += [svg, pdf]
    return written


def _mark(figure: Figure, warnings: str) -> None:
    """Say it in the drawing itself, which leaves the page."""
    canvas = figure.canvas
    canvas.words(canvas.width - 4, canvas.height + 14, warnings, anchor="end", colour="alarm", size=10)
