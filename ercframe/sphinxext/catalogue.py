"""``.. erc-catalogue:: KIND``: a table of what is installed."""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes

from ercframe.components import KINDS
from ercframe.errors import nearest
from ercframe.recipes.files import installed_names, installed_summary
from ercframe.registry import Entry
from ercframe.sphinxext import markup
from ercframe.sphinxext.base import ErcDirective

RECIPES = "recipe"


class CatalogueDirective(ErcDirective):
    """Every component of a kind, or every recipe, with what it does; linked where it is described."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"from": str}

    def run(self) -> list[nodes.Node]:
        kind = self.arguments[0]
        if kind not in (*KINDS, RECIPES):
            known = [*KINDS, RECIPES]
            raise self.error(f"erc-catalogue must name a kind, {', '.join(known)} (got '{kind}'){nearest(kind, known)}")
        self.domain.note_page(self.env.current_document.docname)
        rows = self._recipes() if kind == RECIPES else self._components(kind)
        if not rows:
            return [markup.paragraph("None is installed.")]
        return [markup.table(("Name", "What it does"), rows, (30, 70), "erc-catalogue")]

    def _components(self, kind: str) -> list[list[markup.Cell]]:
        return [self._row(entry) for entry in self.registry.entries(kind) if self._wanted(entry)]

    def _wanted(self, entry: Entry) -> bool:
        """Whether it is of the package that ``:from:`` names, where it names one."""
        package = self.options.get("from", "")
        return not package or entry.origin.package.partition(" ")[0] == package

    def _row(self, entry: Entry) -> list[markup.Cell]:
        component = entry.component
        link = markup.reference(f"{component.kind}/{component.name}", component.name, typ="component")
        return [[link], self.inline(component.summary(), f"docstring of {component.__qualname__}")]

    def _recipes(self) -> list[list[markup.Cell]]:
        return [
            [[markup.reference(name, typ="recipe")], [nodes.Text(installed_summary(name))]]
            for name in installed_names()
        ]
