"""``.. erc-recipe:: NAME``: a recipe with its data flow and the meaning of its lines."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes

from ercframe.errors import InputError
from ercframe.recipes import Loaded, LossSlot, Slot, load
from ercframe.recipes.fields import describe, in_yaml
from ercframe.recipes.files import find, installed_names, read_chain, read_text
from ercframe.recipes.frame import SINGLE_SLOTS, Weight
from ercframe.recipes.schema import recipe_schema
from ercframe.recipes.yaml_tree import Node
from ercframe.sphinxext import markup
from ercframe.sphinxext.annotate import annotated
from ercframe.sphinxext.base import ErcDirective, yes_or_no
from ercframe.sphinxext.domain import ErcDomain
from ercframe.sphinxext.flow import flow_of
from ercframe.sphinxext.installed import plugin_files
from ercframe.sphinxext.markup import code, paragraph, reference, rubric
from ercframe.sphinxext.picture import picture
from ercframe.sphinxext.settings import SECTIONS

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

Row = list[markup.Cell]


class flow_picture(nodes.General, nodes.Element):  # noqa: N801 (docutils finds visitors by the name of the class)
    """A drawing, ``svg``, around the same in words, which formats without drawings show."""


def widths_of(argument: str) -> dict[str, int]:
    """``text=1024 audio=1582`` as a mapping."""
    found = re.findall(r"(\w+)\s*=\s*(\d+)", argument)
    if not found or re.sub(r"\w+\s*=\s*\d+|[\s,]", "", argument):
        raise ValueError(f"must be widths such as 'text=1024 audio=1582' (got '{argument}')")
    return {name: int(width) for name, width in found}


class RecipeDirective(ErcDirective):
    """A recipe: a drawing of its data flow, its text with links, and a table of what it sets."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {
        "flow": yes_or_no,
        "text": yes_or_no,
        "settings": yes_or_no,
        "widths": widths_of,
        "no-index": directives.flag,
        "no-contents-entry": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        try:
            return [self._recipe(*self._found())]
        except InputError as error:
            raise self.error(f"erc-recipe: {error}") from error

    def _found(self) -> tuple[Path, str]:
        """The recipe's file, and what it is called: an installed recipe, or a file beside the page."""
        argument = self.arguments[0]
        path = Path(self.env.relfn2path(argument)[1])
        if path.is_file():
            return path, path.stem
        if argument not in installed_names():
            find(argument)  # says which names there are
        return find(argument)[0], argument

    def _recipe(self, path: Path, name: str) -> nodes.Node:
        loaded = load(path, plugin_files=plugin_files(self.config))
        tree = read_chain(path).tree
        self.domain.note_page(self.env.current_document.docname)
        for file in {path.resolve(), *_files(tree)}:
            self.env.note_dependency(str(file))
        body: list[nodes.Node] = []
        if self.options.get("flow", True):
            body.append(self._drawing(loaded, name))
        if self.options.get("text", True):
            body.append(annotated(read_text(path), _slots(loaded)))
        if self.options.get("settings", True):
            rows = list(self._rows(loaded, tree))
            body += [rubric("What it sets"), markup.table(("Key", "Value", "Meaning"), rows, (28, 27, 45), "erc-keys")]
        label = [addnodes.desc_annotation("", "", nodes.Text("recipe"), addnodes.desc_sig_space())]
        return self.described("recipe", name, [*label, addnodes.desc_name(name, name)], body)

    def _drawing(self, loaded: Loaded, name: str) -> nodes.Node:
        flow = flow_of(loaded, self.options.get("widths", {}))
        page = self.env.current_document.docname
        identifier = f"erc-flow-{hashlib.sha256(f'{page} {name} {self.lineno}'.encode()).hexdigest()[:8]}"
        words = markup.bullets([sentence] for sentence in flow.sentences())
        return flow_picture("", paragraph(f"Data flow of {name}:"), words, svg=picture(flow, identifier))

    def _rows(self, loaded: Loaded, tree: Node) -> Iterator[Row]:
        """What the recipe, or one that it extends, says: key, value, meaning."""
        frame: Mapping[str, Any] = recipe_schema(loaded.registry)["properties"]
        yield self._row([code("modalities")], tree.children["modalities"].plain(), frame["modalities"]["description"])
        recipe = loaded.recipe
        for kind in SINGLE_SLOTS:
            yield from self._slot_rows(kind, getattr(recipe, kind), tree.children[kind])
        yield from self._list_rows("transforms", recipe.transforms, tree)
        for name, loss in recipe.losses.items():
            yield from self._slot_rows(f"losses.{name}", loss, tree.children["losses"].children[name])
        yield from self._list_rows("trackers", recipe.trackers, tree)
        for section, model in SECTIONS.items():
            if section in tree.children:
                for field in describe(model):
                    node = _below(tree.children[section], field.name)
                    if node is not None:
                        key = [reference(f"{section}.{field.name}", typ="field")]
                        yield self._row(key, node.plain(), field.meaning)

    def _list_rows(self, key: str, slots: Sequence[Slot], tree: Node) -> Iterator[Row]:
        for i, slot in enumerate(slots):
            given = tree.children[key].value
            assert isinstance(given, list)
            yield from self._slot_rows(f"{key}[{i}]", slot, given[i])

    def _slot_rows(self, key: str, slot: Slot, node: Node) -> Iterator[Row]:
        full = f"{slot.component.kind}/{slot.name}"
        summary = self.inline(slot.component.summary(), full)
        yield [[code(key)], [reference(full, slot.name, typ="component")], summary]
        for field in describe(slot.component.Config):
            given = _below(node, field.name)
            if given is not None:
                link = reference(f"{full}.{field.name}", f"{key}.{field.name}", typ="field")
                yield self._row([link], given.plain(), field.meaning)
        weight = node.children.get("weight")
        if isinstance(slot, LossSlot) and weight is not None:
            meaning = Weight.model_fields["weight"].description or ""
            yield self._row([code(f"{key}.weight")], weight.plain(), meaning)

    def _row(self, key: markup.Cell, value: object, meaning: str) -> Row:
        return [key, [code(in_yaml(value))], self.inline(meaning, "a setting's description")]


def _slots(loaded: Loaded) -> dict[str, str]:
    """``kind/name`` of the component in each slot, by the slot's path."""
    recipe = loaded.recipe
    slots: dict[str, Slot] = {kind: getattr(recipe, kind) for kind in SINGLE_SLOTS}
    slots |= {f"losses.{name}": slot for name, slot in recipe.losses.items()}
    slots |= {f"transforms.{i}": slot for i, slot in enumerate(recipe.transforms)}
    return {path: f"{slot.component.kind}/{slot.name}" for path, slot in slots.items()}


def _below(node: Node, path: str) -> Node | None:
    """What stands at a dotted path; None where nothing does."""
    found: Node | None = node
    for key in path.split("."):
        found = found.children.get(key) if found else None
    return found


def _files(node: Node) -> Iterator[Path]:
    """The files that the values come from."""
    if Path(node.place.source).is_file():
        yield Path(node.place.source).resolve()
    for child in node.value if isinstance(node.value, list) else node.children.values():
        yield from _files(child)


def link_pictures(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let the names in drawings lead to their pages; those that no page describes are no links."""
    domain = cast(ErcDomain, app.env.domains["erc"])

    def place(match: re.Match[str]) -> str:
        found = domain.find("obj", match[1])
        if not found:
            return match[2]
        page = "" if found.document == docname else app.builder.get_relative_uri(docname, found.document)
        return f'<a href="{page}#{found.anchor}">{match[2]}</a>'

    for node in doctree.findall(flow_picture):
        node["svg"] = re.sub(r'<a href="erc:([^"]*)">(.*?)</a>', place, node["svg"])


def visit_html(self: HTML5Translator, node: flow_picture) -> None:
    """Put the drawing into the page, where it can take the page's colours."""
    self.body.append(f'<div class="erc-flow-box">{node["svg"]}</div>')
    raise nodes.SkipNode


def visit_words(self: nodes.NodeVisitor, node: flow_picture) -> None:
    """Show the words."""


def depart_words(self: nodes.NodeVisitor, node: flow_picture) -> None:
    """Nothing is left to do."""
