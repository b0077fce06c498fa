"""What the directives share."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from docutils import nodes
from sphinx import addnodes
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from ercframe.recipes.fields import FieldText
from ercframe.sphinxext import markup
from ercframe.sphinxext.domain import ErcDomain
from ercframe.sphinxext.installed import registry_of

if TYPE_CHECKING:
    from ercframe.registry import Registry

logger = logging.getLogger(__name__)


def yes_or_no(argument: str | None) -> bool:
    """The value of an option that can be switched off; an option without a value is on."""
    words = {"": True, "yes": True, "true": True, "no": False, "false": False}
    if (argument or "").strip().lower() not in words:
        raise ValueError(f"must be yes or no (got '{argument}')")
    return words[(argument or "").strip().lower()]


class ErcDirective(SphinxDirective):
    """A directive whose content is what is installed."""

    has_content = False

    @property
    def registry(self) -> Registry:
        """The installed components and those of ``erc_plugins``."""
        return registry_of(self.env)

    @property
    def domain(self) -> ErcDomain:
        """The domain ``erc``."""
        return cast(ErcDomain, self.env.domains["erc"])

    def rst(self, text: str, source: str) -> list[nodes.Node]:
        """Parse reStructuredText, whatever the page itself is written in."""
        return markup.parsed(text, self.state.document.settings, source)

    def inline(self, text: str, source: str) -> list[nodes.Node]:
        """Parse one paragraph of reStructuredText."""
        return markup.inline(text, self.state.document.settings, source)

    def warn(self, message: str, subtype: str) -> None:
        """Warn at the place of the directive; ``suppress_warnings = ["erc.SUBTYPE"]`` silences it."""
        logger.warning(message, location=self.get_location(), type="erc", subtype=subtype)

    def described(
        self, objtype: str, name: str, label: Sequence[nodes.Node], body: Iterable[nodes.Node]
    ) -> addnodes.desc:
        """An object with its signature, which is what links lead to, and what is said of it."""
        signature = addnodes.desc_signature(name, "", *label)
        signature["_toc_parts"], signature["_toc_name"] = (name,), name
        entry = addnodes.desc("", signature, addnodes.desc_content("", *body))
        entry["domain"], entry["objtype"], entry["desctype"] = "erc", objtype, objtype
        entry["classes"] += ["erc", objtype]
        entry["no-index"] = "no-index" in self.options
        entry["no-contents-entry"] = "no-contents-entry" in self.options
        if "no-index" not in self.options:
            self.domain.describe(self, objtype, name, signature)
        return entry

    def field_table(self, fields: Sequence[FieldText], owner: str, separator: str, source: str) -> nodes.Node:
        """The settings of a component or of a section, each of them a target."""
        rows: list[list[markup.Cell]] = []
        for field in fields:
            name = markup.code(field.name)
            if "no-index" not in self.options:
                self.domain.describe(self, "field", f"{owner}{separator}{field.name}", name)
            default = [nodes.Text("required")] if field.default == "required" else [markup.code(field.default)]
            rows.append([[name], [nodes.Text(field.accepts)], default, self.inline(field.meaning, source)])
        return markup.table(("Setting", "Accepts", "Default", "Meaning"), rows, (22, 22, 14, 42), "erc-settings")


def whole_docstring(component: type[Any], rules: Any) -> str:
    """A class's docstring as reStructuredText, its sections as lists.

    Args:
        component: the class.
        rules: napoleon's settings.
    """
    lines = GoogleDocstring(inspect.getdoc(component) or "", rules, what="class", obj=component).lines()
    return "\n".join(lines)
