"""The recipes that come with ercframe: a page for each that can be run, and one with what they are made from."""

from __future__ import annotations

from ercframe.recipes.files import installed_folder, installed_names

from .rst import title, toctree

_HEAD = """\
Installed with ercframe: give the file, or the name alone. ``ercframe show NAME`` prints a recipe with everything it
extends and every default filled in.

.. erc-catalogue:: recipe
"""
_FOLDERS = {
    "corpora": ("To be extended", "What recipes for a corpus have in common; ``extends`` names these files."),
    "labels": ("Label maps", "What becomes of each emotion of a corpus; ``dataset.labels`` names these files."),
}
_WIDTHS = {"sdt_iemocap": "text=1024 audio=1582 visual=342", "sdt_meld": "text=1024 audio=300 visual=342"}
"""The widths of the published features, where a recipe is known for them."""


def pages() -> dict[str, str]:
    """The pages of the recipes."""
    names = installed_names()
    found = {f"recipes/{name}.rst": _page(name) for name in names}
    parts = [title("Recipes that come with ercframe"), _HEAD, toctree(f"recipes/{name}" for name in names)]
    for folder in sorted(path for path in installed_folder().iterdir() if list(path.glob("*.yaml"))):
        heading, meaning = _FOLDERS[folder.name]
        parts += [title(heading, "-"), f"{meaning}\n"]
        for path in sorted(folder.glob("*.yaml")):
            body = "\n".join(f"   {line}".rstrip() for line in path.read_text(encoding="utf-8").splitlines())
            parts.append(f".. code-block:: yaml\n   :caption: {folder.name}/{path.name}\n\n{body}\n")
    return {"recipes.rst": "\n".join(parts), **found}


def _page(name: str) -> str:
    widths = f"   :widths: {_WIDTHS[name]}\n" if name in _WIDTHS else ""
    return f"{title(name)}\n.. erc-recipe:: {name}\n{widths}   :no-contents-entry:\n"
