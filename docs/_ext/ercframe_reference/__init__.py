"""Write the reference from what is installed: components, settings, commands, recipes and the Python API.

Everything on these pages comes from docstrings, field descriptions and help texts, so it cannot drift from the code.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ercframe import plugins

from . import api, commands, components, contract, recipes, settings

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Generate the pages before Sphinx looks for documents."""
    app.connect("builder-inited", _generate)
    return {"parallel_read_safe": True}


def _generate(app: Sphinx) -> None:
    from sphinx.errors import ExtensionError

    registry = plugins.load()
    if registry.failures:
        causes = "\n".join(f"  {failure.origin}: {failure.cause}" for failure in registry.failures)
        raise ExtensionError(f"the reference would lack plugins that failed to load:\n{causes}")
    pages = components.pages(registry) | settings.pages() | commands.pages() | recipes.pages() | api.pages()
    pages |= contract.pages()
    write(Path(app.srcdir) / "reference" / "generated", pages)


def write(folder: Path, pages: dict[str, str]) -> None:
    """Make ``folder`` hold exactly these pages; one that did not change keeps its time, so that Sphinx skips it."""
    for stale in {p for p in folder.rglob("*.*") if p.is_file()} - {folder / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
