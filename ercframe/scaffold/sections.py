"""What differs between kinds of component: one template each, whose blocks are the parts of what is made.

A kind's template, ``templates/kinds/KIND.jinja``, has the blocks ``component`` (the module), ``test``, ``recipe`` (of a
package; may be left out) and ``commands`` (to see it work). That file is all that a new kind needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

BLOCKS = ("component", "test", "recipe", "commands")


def templates() -> Path:
    """The folder of the templates, as installed."""
    return Path(str(resources.files("ercframe.scaffold") / "templates"))


def kinds() -> tuple[str, ...]:
    """The kinds that there is a template for, sorted."""
    return tuple(sorted(path.stem for path in (templates() / "kinds").glob("*.jinja")))


def sections(kind: str, values: Mapping[str, str]) -> dict[str, str]:
    """The blocks of a kind's template, filled in; empty where the template leaves one out."""
    environment = Environment(
        loader=FileSystemLoader(templates()), undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    template = environment.get_template(f"kinds/{kind}.jinja")
    context = template.new_context(dict(values))
    # The line break after the tag that opens a block is the template's, not the text's.
    return {
        name: "".join(template.blocks[name](context)).removeprefix("\n") if name in template.blocks else ""
        for name in BLOCKS
    }
