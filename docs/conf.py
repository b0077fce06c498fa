"""Sphinx configuration: ``sphinx-build -W docs docs/_build/html``."""

import sys
from importlib.util import find_spec
from pathlib import Path

from ercframe import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "ercframe"
author = "the ercframe contributors"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "ercframe.sphinxext",
    "ercframe_reference",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"show-inheritance": True, "exclude-members": "model_config"}
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 110
add_module_names = False  # the public names are imported from ercframe itself
# As a list: autodoc documents the attributes that have a docstring of their own.
napoleon_custom_sections = [("Attributes", "params_style")]

# A link must lead somewhere. Types in signatures are often foreign or private, and attributes are described in lists.
nitpicky = True
nitpick_ignore_regex = [("py:(class|attr)", ".*"), ("py:meth", r"PluginManager\..*")]

html_theme = "furo"
html_title = f"ercframe {version}"
# MathJax as one file of the site, so that formulae are drawn without a network. Its package would copy all of itself.
mathjax = find_spec("sphinx-mathjax-offline")
assert mathjax is not None
assert mathjax.origin is not None
html_static_path = ["_static", str(Path(mathjax.origin).parent / "static" / "mathjax" / "tex-svg.js")]
mathjax_path = "tex-svg.js"
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#7a3e9d", "color-brand-content": "#7a3e9d"},
    "dark_css_variables": {"color-brand-primary": "#c79be0", "color-brand-content": "#c79be0"},
}
