"""A Sphinx extension that documents components and recipes from what is installed.

In ``conf.py``::

    extensions = ["ercframe.sphinxext"]
    erc_plugins = ["../my_fusion.py"]  # plugin files that no installed package provides, relative to conf.py

Then, in a page of reStructuredText or, with MyST, of Markdown:

``.. erc-component:: fusion/gated``
    Summary, formula and shapes from the docstring, a table of the settings, an example, what the component reads,
    emits and can be combined with, whether it keeps the contract of its kind, its source.
``.. erc-catalogue:: fusion``
    A table of the installed components of a kind, or of the installed recipes (``recipe``).
``.. erc-recipe:: sdt_iemocap``
    A recipe with its data flow as a drawing, and what each of its lines means.
``.. erc-settings:: trainer``
    What the section ``trainer``, or ``protocol``, of a recipe may hold.
``:erc:`fusion/gated```
    A link to a component, to a setting (``fusion/gated.temperature``, ``trainer.epochs``) or to a recipe, here or,
    with :mod:`sphinx.ext.intersphinx`, in the documentation of another project.

Nothing is written twice: all of it comes from docstrings, field descriptions and recipes, or was found by trying. A
component that lacks a summary, a shape or the description of a setting is a warning with its name and what is missing,
and so is one that breaks its contract; ``sphinx-build -W`` makes them errors.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sphinx.errors import ConfigError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from ercframe import __version__
from ercframe.errors import InputError
from ercframe.sphinxext import contract, recipe, source
from ercframe.sphinxext.catalogue import CatalogueDirective
from ercframe.sphinxext.component import ComponentDirective
from ercframe.sphinxext.domain import AnyErcRole, ErcDomain, leave_as_text, say_the_nearest
from ercframe.sphinxext.installed import fingerprint, place_files, registry_of
from ercframe.sphinxext.settings import SettingsDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

STATIC = Path(__file__).parent / "static"
AFTER_INTERSPHINX = 900
DIRECTIVES: dict[str, type[SphinxDirective]] = {
    "erc-catalogue": CatalogueDirective,
    "erc-component": ComponentDirective,
    "erc-recipe": recipe.RecipeDirective,
    "erc-settings": SettingsDirective,
}

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the domain, the directives, the role and the settings of ``conf.py``.

    ``erc_plugins``
        Plugin files, relative to ``conf.py``.
    ``erc_contract``
    ``erc_source_url``
        Where source can be read, such as ``https://host/project/blob/main/{path}#L{first}-L{last}``.
    """
    app.add_config_value("erc_plugins", [], "env", frozenset({list, tuple}))
    app.add_config_value("erc_contract", True, "env", frozenset({bool, str}))
    app.add_config_value("erc_source_url", "", "env", frozenset({str}))
    app.add_domain(ErcDomain)
    app.add_role("erc", AnyErcRole())
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    app.add_node(contract.contract_verdict)
    left_out = (source.skip, None)
    app.add_node(
        source.folded,
        html=(source.visit_html, source.depart_html),
        latex=left_out,
        text=left_out,
        man=left_out,
        texinfo=left_out,
    )
    words = (recipe.visit_words, recipe.depart_words)
    app.add_node(recipe.flow_picture, html=(recipe.visit_html, None), latex=words, text=words, man=words, texinfo=words)
    app.connect("config-inited", place_files)
    app.connect("builder-inited", _begin)
    app.connect("env-get-outdated", _outdated)
    app.connect("env-updated", contract.judge_what_is_shown)
    app.connect("doctree-resolved", contract.show_verdicts)
    app.connect("doctree-resolved", recipe.link_pictures)
    app.connect("missing-reference", leave_as_text, priority=AFTER_INTERSPHINX)
    app.connect("warn-missing-reference", say_the_nearest)
    return {"version": __version__, "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}


def _begin(app: Sphinx) -> None:
    """Tell of plugins that could not be loaded, and add the style sheet."""
    try:
        registry = registry_of(app.env)
    except InputError as error:
        raise ConfigError(f"erc_plugins: {error}") from error
    for failure in registry.failures:
        logger.warning("plugin %s cannot be used: %s", failure.origin, failure.cause, type="erc", subtype="plugin")
    if app.builder.format == "html":
        app.config.html_static_path.append(str(STATIC))
        app.add_css_file("ercframe.css")


def _outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> set[str]:
    """The pages that show what is installed, where anything of it is no longer what it was."""
    domain = cast(ErcDomain, env.domains["erc"])
    now = fingerprint(registry_of(env))
    before, domain.data["fingerprint"] = domain.data["fingerprint"], now
    return set() if before == now else set(domain.pages) - removed
