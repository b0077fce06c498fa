"""A comparison of runs as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from ercframe.comparison.folds import KIND
from ercframe.report.comparison_cells import Cell, Grid, grids, notes
from ercframe.report.crossval_cells import crossval_grids, crossval_notes
from ercframe.report.markdown import pipe_table, plain

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "≥": r"$\ge$",
}


def markdown(found: Mapping[str, Any]) -> str:
    """All tables and notes as Markdown with pipe tables; of a cross-validation, too."""
    crossval = found.get("kind") == KIND
    parts = []
    for grid in crossval_grids(found) if crossval else grids(found):
        parts.append(f"**{plain(grid.title)}**\n\n{_pipes(grid)}")
    parts.append("\n".join(f"- {plain(note)}" for note in (crossval_notes(found) if crossval else notes(found))))
    return "\n\n".join(parts) + "\n"


def latex(found: Mapping[str, Any]) -> str:
    r"""A table for a paper, with ``\usepackage{booktabs}``: the headline scores, and below them the F1 of each emotion.

    Beside each other they would be wider than two columns of a page.
    """
    scores, classes, *_ = grids(found)
    headline = Grid(scores.title, (scores.heads[0], *scores.heads[3:]), tuple((r[0], *r[3:]) for r in scores.rows))
    emotions = Grid(classes.title, classes.heads, classes.rows[: len(scores.rows)])
    lines = [
        "% \\usepackage{booktabs}",
        r"\begin{table*}",
        r"  \centering",
        r"  \footnotesize",
        r"  \setlength{\tabcolsep}{3pt}",
        rf"  \caption{{{_latex(' '.join(notes(found)))}}}",
        r"  \medskip",
        *_tabular(headline),
        "",  # a paragraph of its own
        r"  \medskip",
        *_tabular(emotions),
    ]
    return "\n".join([*lines, r"\end{table*}", ""])


def _tabular(grid: Grid) -> Iterator[str]:
    yield rf"  \begin{{tabular}}{{@{{}}l{'r' * (len(grid.heads) - 1)}@{{}}}}"
    yield r"    \toprule"
    yield f"    {' & '.join(['', *(_latex(head.text) for head in grid.heads[1:])])} \\\\"
    yield r"    \midrule"
    yield from (f"    {' & '.join(map(_latex_cell, row))} \\\\" for row in grid.rows)
    yield r"    \bottomrule"
    yield r"  \end{tabular}"


def as_csv(found: Mapping[str, Any]) -> str:
    """A row for each run and a column for each number, as shares of 1; empty where there is none."""
    page = io.StringIO()
    rows = [dict(_flat(run)) for run in found["runs"]]
    writer = csv.DictWriter(page, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return page.getvalue()


def _flat(run: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in ("name", "recipe", "folder", "status", "selection", "monitor", "generated", "parameters"):
        yield key, run[key]
    yield "seeds", " ".join(map(str, run["seeds"]))
    for prefix, entries in (("", run["scores"]), ("f1 ", run["f1"])):
        for name, entry in entries.items():
            for part in ("mean", "std", "low", "high"):
                yield f"{prefix}{name} {part}", entry[part]
    for way in ("selected_on_test", "last"):
        for name in run["scores"]:
            for part in ("mean", "std", "gap"):
                yield f"{way} {name} {part}", run[way][name][part] if run[way] else None
    for part in ("value", "low", "high", "p", "p_holm", "significant"):
        yield f"difference {part}", run["difference"][part] if run["difference"] else None


def _pipes(grid: Grid) -> str:
    return pipe_table(
        [plain(head.text) for head in grid.heads], [[_markdown_cell(cell) for cell in row] for row in grid.rows]
    )


def _markdown_cell(cell: Cell) -> str:
    return f"**{plain(cell.text)}**" if cell.best else plain(cell.text)


def _latex_cell(cell: Cell) -> str:
    mean, _, std = cell.text.removesuffix("*").partition(" ± ")
    text = _latex(mean) + (rf"\,{{\scriptsize$\pm$\,{std}}}" if std else "") + "$^{*}$" * cell.text.endswith("*")
    return rf"\textbf{{{text}}}" if cell.best else text


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
