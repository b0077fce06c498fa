"""The recipes that come with ercframe, each as it is written."""

from __future__ import annotations

from importlib import resources

from .rst import title

_HEAD = """\
Installed with ercframe: use the file, or the name without a folder. ``ercframe show NAME`` prints a recipe with
everything it extends and every default filled in.
"""


def pages() -> dict[str, str]:
    """One page with a section for each recipe."""
    parts = [title("Recipes that come with ercframe"), _HEAD]
    for path in sorted(resources.files("ercframe_recipes").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".yaml"):
            body = "\n".join(f"   {line}".rstrip() for line in path.read_text(encoding="utf-8").splitlines())
            parts += [title(f"``{path.name.removesuffix('.yaml')}``", "-"), f".. code-block:: yaml\n\n{body}\n"]
    return {"recipes.rst": "\n".join(parts)}
