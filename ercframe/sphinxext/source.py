"""Where a component is defined: a link, and the text itself, folded."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes

from ercframe.components import Component
from ercframe.sphinxext import markup
from ercframe.sphinxext.markup import code, paragraph

if TYPE_CHECKING:
    from sphinx.config import Config
    from sphinx.writers.html5 import HTML5Translator


class folded(nodes.General, nodes.Element):  # noqa: N801 (docutils finds visitors by the name of the class)
    """What a reader can unfold; ``summary`` is what is seen before. Formats that cannot fold leave it out."""


def source_block(component: type[Component], config: Config) -> list[nodes.Node]:
    """The place of a component's class, linked where ``erc_source_url`` says how, and its lines."""
    lines, first = inspect.getsourcelines(component)
    path = _path(component)
    place = f"{path}, lines {first} to {first + len(lines) - 1}"
    url = config.erc_source_url.format(path=path, module=component.__module__, first=first, last=first + len(lines) - 1)
    shown: nodes.Node = nodes.reference("", "", code(path), refuri=url) if url else code(path)
    below = folded("", markup.listing("".join(lines), "python"), summary=f"class {component.__qualname__}")
    return [paragraph(shown, place.removeprefix(path)), below]


def _path(component: type[Component]) -> str:
    """The file as an import statement has it; its name alone where it is no part of a package."""
    file, parts = Path(inspect.getfile(component)), component.__module__.split(".")
    return "/".join([*parts[:-1], file.name])


def visit_html(self: HTML5Translator, node: folded) -> None:
    """Begin ``<details>``."""
    summary: Any = node["summary"]
    self.body.append(f'<details class="erc-folded"><summary>{self.encode(summary)}</summary>')


def depart_html(self: HTML5Translator, node: folded) -> None:
    """End ``<details>``."""
    self.body.append("</details>")


def skip(self: nodes.NodeVisitor, node: folded) -> None:
    """Leave it out."""
    raise nodes.SkipNode
