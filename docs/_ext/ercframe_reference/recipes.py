"""The recipes that come with ercframe, each as it is written."""

from __future__ import annotations

from ercframe.recipes.files import installed_folder

from .rst import title

_HEAD = """\
Installed with ercframe: give the file, or the name alone. ``ercframe show NAME`` prints a recipe with everything it
extends and every default filled in. Those in ``corpora`` are there to be extended; those in
``labels`` are label maps.
"""


def pages() -> dict[str, str]:
    """One page with a section for each recipe."""
    parts = [title("Recipes that come with ercframe"), _HEAD]
    folder = installed_folder()
    for path in sorted(folder.rglob("*.yaml"), key=lambda path: (len(path.parts), path.name)):
        name = str(path.relative_to(folder).with_suffix(""))
        body = "\n".join(f"   {line}".rstrip() for line in path.read_text(encoding="utf-8").splitlines())
        parts += [title(f"``{name}``", "-"), f".. code-block:: yaml\n\n{body}\n"]
    return {"recipes.rst": "\n".join(parts)}
