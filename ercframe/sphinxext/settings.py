"""``.. erc-settings:: SECTION``: what ``trainer`` and ``protocol`` of a recipe may hold."""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from ercframe.recipes.fields import describe
from ercframe.settings import ProtocolSettings, Settings, TrainerSettings
from ercframe.sphinxext import markup
from ercframe.sphinxext.base import ErcDirective

SECTIONS: dict[str, type[Settings]] = {"trainer": TrainerSettings, "protocol": ProtocolSettings}
"""Recipe key to settings class."""


class SettingsDirective(ErcDirective):
    """A table of the settings of a section, each a target: ``trainer.epochs``."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"no-index": directives.flag}

    def run(self) -> list[nodes.Node]:
        section = self.arguments[0]
        if section not in SECTIONS:
            raise self.error(f"erc-settings must name a section, {' or '.join(SECTIONS)} (got '{section}')")
        self.domain.note_page(self.env.current_document.docname)
        model = SECTIONS[section]
        summary = (model.__doc__ or "").partition("\n")[0]
        table = self.field_table(list(describe(model)), section, ".", f"settings of {section}")
        return [markup.paragraph(summary), table]
