"""A recipe as it is written, each word that means something linked to where it is described."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from docutils import nodes
from pygments.lexers.data import YamlLexer
from pygments.token import STANDARD_TYPES

from ercframe.recipes.sources import Place
from ercframe.recipes.yaml_tree import Node, parse
from ercframe.sphinxext import markup


class Link(NamedTuple):
    """A stretch of the text that leads somewhere."""

    start: int
    end: int
    target: str


def annotated(text: str, components: Mapping[str, str]) -> nodes.Node:
    """The text in colours, as a block of code whose words are links.

    Args:
        text: a recipe.
        components: ``kind/name`` of the component in each slot, such as ``encoder`` and ``losses.task``, also where
            the recipe takes it from another.
    """
    root, _ = parse(text, Place("recipe", 1, 1))
    links = sorted(_links(text, root, components))
    # Sphinx colours a block whose source is its text, and would lose the links.
    block = nodes.literal_block("with links", "", *_coloured(text, links), classes=["erc-recipe-text"])
    inner = nodes.container("", block, classes=["highlight"])
    return nodes.container("", inner, classes=["highlight-yaml", "notranslate"])


def _links(text: str, root: Node, components: Mapping[str, str]) -> Iterator[Link]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def at(place: Place | None, word: str, target: str) -> Iterator[Link]:
        if place is None:
            return
        start = starts[place.line - 1] + place.column - 1
        start += text.startswith(('"', "'"), start)
        if target and text.startswith(word, start):
            yield Link(start, start + len(word), target)

    for path, key, node in _walk(root):
        slot = _slot(path)
        if key == "type" and isinstance(node.value, str) and slot in components:
            yield from at(node.place, node.value, f"{components[slot].partition('/')[0]}/{node.value}")
        elif path == "extends" and isinstance(node.value, str):
            yield from at(node.place, node.value, node.value.removesuffix(".yaml"))
        elif key:
            yield from at(node.key_place, key, _meant(path, components))


def _walk(node: Node, path: str = "") -> Iterator[tuple[str, str, Node]]:
    """Every value with its dotted path and its own key; the items of a list have the path of the list and no key."""
    if isinstance(node.value, list):
        for i, item in enumerate(node.value):
            yield path, "", item
            yield from _walk(item, f"{path}.{i}" if path in ("transforms", "trackers") else path)
    for key, child in node.children.items():
        below = f"{path}.{key}" if path else key
        yield below, key, child
        yield from _walk(child, below)


def _slot(path: str) -> str:
    """The slot in which a path lies: its first key, or two where it holds several components."""
    first, *rest = _within(path).split(".")
    return ".".join([first, *rest[:1]]) if first in ("losses", "transforms", "trackers") else first


def _within(path: str) -> str:
    """The path that a key of ``demo:`` or of an ablation changes."""
    return re.sub(r"^(demo|ablations\.[^.]+)\.", "", path)


def _meant(path: str, components: Mapping[str, str]) -> str:
    """What describes the setting at a path; empty where it is no setting of a component, trainer or protocol."""
    path = _within(path)
    slot = _slot(path)
    below = path.removeprefix(slot).removeprefix(".")
    if slot in ("trainer", "protocol"):
        return f"{slot}.{below}" if below else ""
    return f"{components[slot]}.{below}" if slot in components and below not in ("", "type", "weight") else ""


def _coloured(text: str, links: list[Link]) -> Iterator[nodes.Node]:
    """The tokens of the text, cut where links begin and end."""
    position = 0
    for kind, value in YamlLexer(stripnl=False, ensurenl=False).get_tokens(text):
        name = STANDARD_TYPES.get(kind, "")
        end = position + len(value)
        while position < end:
            link = next((link for link in links if link.start <= position < link.end), None)
            following = (edge for link in links for edge in (link.start, link.end) if position < edge < end)
            cut = min(following, default=end)
            piece = text[position:cut]
            shown = nodes.inline(piece, piece, classes=[name] if name else [])
            yield _linked(shown, link.target) if link else shown
            position = cut


def _linked(shown: nodes.inline, target: str) -> nodes.Node:
    reference = markup.reference(target, shown.astext())
    reference.replace(reference[0], shown)
    return reference
