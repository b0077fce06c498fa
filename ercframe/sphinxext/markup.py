"""Pieces of a page as docutils nodes, the same whether the page is reStructuredText or Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from docutils import nodes
from docutils.frontend import Values
from docutils.parsers.rst import Parser
from docutils.utils import new_document
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import LoggingReporter

Cell = Sequence[nodes.Node]


def parsed(text: str, settings: Values, source: str) -> list[nodes.Node]:
    """Parse reStructuredText, such as a docstring.

    Args:
        text: what to parse.
        settings: those of the document that the result goes into.
        source: what a warning calls the text.
    """
    document = new_document(source, settings)
    document.reporter = LoggingReporter.from_reporter(document.reporter)
    Parser().parse(text, document)
    return list(document.children)


def inline(text: str, settings: Values, source: str) -> list[nodes.Node]:
    """Parse one paragraph and return what is inside of it."""
    found = parsed(text, settings, source)
    return list(found[0].children) if len(found) == 1 and isinstance(found[0], nodes.paragraph) else found


def paragraph(*parts: nodes.Node | str, classes: Sequence[str] = ()) -> nodes.paragraph:
    """A paragraph of nodes and plain text."""
    return nodes.paragraph("", "", *map(as_node, parts), classes=list(classes))


def code(text: str) -> nodes.literal:
    """Text as code in a line."""
    return nodes.literal(text, text)


def listing(text: str, language: str) -> nodes.literal_block:
    """A block of code."""
    return nodes.literal_block(text, text, language=language)


def rubric(text: str) -> nodes.rubric:
    """A heading that is no section, so that it can stand anywhere."""
    return nodes.rubric(text, text)


def bullets(items: Iterable[Sequence[nodes.Node | str]]) -> nodes.bullet_list:
    """A list, each item of nodes and plain text."""
    return nodes.bullet_list("", *(nodes.list_item("", paragraph(*item)) for item in items), bullet="-")


def joined(items: Sequence[nodes.Node], last: str = " and ") -> list[nodes.Node]:
    """Items with commas between them."""
    result: list[nodes.Node] = []
    for i, item in enumerate(items):
        if i:
            result.append(nodes.Text(last if i == len(items) - 1 else ", "))
        result.append(item)
    return result


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], widths: Sequence[int], name: str) -> nodes.table:
    """A table whose cells are nodes; ``name`` is its class, for style sheets."""
    group = nodes.tgroup("", cols=len(head))
    group += [nodes.colspec(colwidth=width) for width in widths]
    group += nodes.thead("", _row([[nodes.Text(text)] for text in head]))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=["erc-table", name])


def _row(cells: Sequence[Cell]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", _block(cell)) for cell in cells))


def _block(cell: Cell) -> nodes.Node:
    return nodes.paragraph("", "", *cell)


def reference(target: str, text: str | None = None, *, typ: str = "obj", required: bool = False) -> pending_xref:
    """A link to what is described somewhere, here or in another project; plain text where it is described nowhere.

    Args:
        target: such as ``fusion/gated``, ``fusion/gated.temperature``, ``trainer.epochs``, ``sdt_iemocap``.
        text: what is shown; the target where left out.
        typ: ``component``, ``field``, ``recipe``, or ``obj`` for any of them.
        required: whether it is a mistake that the target is described nowhere.
    """
    shown = nodes.literal(text or target, text or target, classes=["xref", "erc", f"erc-{typ}"])
    return pending_xref(
        "",
        shown,
        refdomain="erc",
        reftype=typ,
        reftarget=target,
        refexplicit=text is not None,
        refwarn=required,
        erc_optional=not required,
    )


def as_node(part: nodes.Node | str) -> nodes.Node:
    """Plain text as a node."""
    return nodes.Text(part) if isinstance(part, str) else part
