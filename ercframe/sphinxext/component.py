"""``.. erc-component:: KIND/NAME``: all there is to know about a component."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, cast

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.ext.napoleon import Config as NapoleonConfig

from ercframe.components import Component, Encoder, Loss, Part
from ercframe.errors import InputError
from ercframe.recipes.example import example_yaml
from ercframe.recipes.fields import describe
from ercframe.registry import Entry
from ercframe.sphinxext import fits, markup
from ercframe.sphinxext.base import ErcDirective, whole_docstring, yes_or_no
from ercframe.sphinxext.complete import lacks
from ercframe.sphinxext.contract import contract_verdict
from ercframe.sphinxext.installed import source_file
from ercframe.sphinxext.markup import bullets, code, paragraph, rubric
from ercframe.sphinxext.source import source_block

_AS_LISTS: Any = [(name, "params_style") for name in ("Args", "Attributes", "Raises")]
NAPOLEON = NapoleonConfig(napoleon_custom_sections=_AS_LISTS)
COLUMNS = 88


class ComponentDirective(ErcDirective):
    """Summary, formula, shapes, settings, an example, what it fits, whether it keeps its contract, and its source."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "contract": yes_or_no,
        "source": yes_or_no,
        "no-index": directives.flag,
        "no-contents-entry": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        kind, _, name = self.arguments[0].partition("/")
        try:
            entry = self.registry.entry(kind, name)
        except InputError as error:
            raise self.error(f"erc-component must name an installed component, KIND/NAME: {error}") from error
        full = f"{kind}/{name}"
        for lack in lacks(entry.component):
            self.warn(f"{full} is not documented: {lack}", "undocumented")
        shows_contract = self.options.get("contract", True) and bool(self.config.erc_contract)
        self.domain.note_page(self.env.current_document.docname, *([full] if shows_contract else []))
        self.env.note_dependency(str(source_file(entry.component)))
        label = [
            addnodes.desc_annotation("", "", nodes.Text(kind), addnodes.desc_sig_space()),
            addnodes.desc_name(name, name),
        ]
        body = [*self._told(entry), *self._settings(entry.component, full), *self._fits(entry.component)]
        if shows_contract:
            body += [rubric("Contract"), contract_verdict(full)]
        if self.options.get("source", True):
            body += [rubric("Source"), *source_block(entry.component, self.config)]
        described = self.described("component", full, label, body)
        self._alias(entry.component, described)
        return [described]

    def _alias(self, component: type[Component], described: addnodes.desc) -> None:
        """Let links to the Python class lead here, unless autodoc describes it."""
        if "no-index" in self.options:
            return
        path = f"{component.__module__}.{component.__qualname__}"
        cast(nodes.Element, described[0])["ids"].append(path)
        self.env.domains.python_domain.note_object(path, "class", path, aliased=True, location=described)

    def _told(self, entry: Entry) -> list[nodes.Node]:
        """Its docstring, and how a recipe names it."""
        component = entry.component
        self.env.ref_context["py:module"] = component.__module__
        self.env.ref_context["py:class"] = component.__qualname__
        try:
            told = self.rst(whole_docstring(component, NAPOLEON), _docstring_of(component))
        finally:
            del self.env.ref_context["py:module"], self.env.ref_context["py:class"]
        named = paragraph(code(f"type: {component.name}"), f" · from {_origin(entry)}", classes=["erc-origin"])
        return [named, *told]

    def _settings(self, component: type[Component], full: str) -> list[nodes.Node]:
        fields = list(describe(component.Config))
        table = self.field_table(fields, full, ".", _docstring_of(component)) if fields else paragraph("None.")
        example = example_yaml(component, COLUMNS)
        shown = [rubric("In a recipe"), markup.listing(example, "yaml")] if example else []
        return [rubric("Settings"), table, *shown]

    def _fits(self, component: type[Component]) -> list[nodes.Node]:
        items = [*_reads(component), *_emits(component), *_surroundings(component), *_traits(component)]
        items += self._partners(component)
        return [rubric("Fits"), bullets(items)] if items else []

    def _partners(self, component: type[Component]) -> Iterator[Sequence[nodes.Node | str]]:
        attempts = fits.partners(component, self.registry)
        fitting = [_partner(attempt) for attempt in attempts if not attempt.refused]
        others = [attempt for attempt in attempts if attempt.refused]
        if fitting:
            word = "Can be followed by " if component.kind == "encoder" else "Can be built on "
            yield [word, *markup.joined(fitting), "."]
        for why in dict.fromkeys(attempt.refused for attempt in others):
            refused = [_partner(attempt) for attempt in others if attempt.refused == why]
            verb = "followed by" if component.kind == "encoder" else "built on"
            yield [f"Cannot be {verb} ", *markup.joined(refused, " or "), f": {why}."]


def _origin(entry: Entry) -> str:
    """Where a component came from, without the folders of the machine that builds the pages."""
    return entry.origin.file.name if entry.origin.file else str(entry.origin)


def _reads(component: type[Component]) -> Iterator[Sequence[nodes.Node | str]]:
    read, ignored = fits.inputs_read(component)
    if not read:
        return
    yield ["Reads ", _in_words(read, ignored), "."]


_INPUTS = {
    "own": "each modality's own stream",
    "pair": "streams between modalities",
    "modality": "one representation per modality",
    "joint": "the joint representation",
    "logits": "the classifier's logits",
    "features": "the features of each modality",
}


def _in_words(read: Sequence[str], ignored: Sequence[str]) -> str:
    """What a component reads of what it is offered, in a few words."""
    groups = dict.fromkeys(map(_group, read))
    streams = [name for name in ignored if name.startswith("stream ")]
    if {"own", "pair"} <= groups.keys() and not streams:
        return "every stream"
    words = [_INPUTS[group] for group in groups]
    alone = " alone" if "own" in groups and "pair" not in groups and streams else ""
    return (f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]) + alone


def _group(name: str) -> str:
    """The key in ``_INPUTS`` of an input, as a trial of the contract suite calls it."""
    first = name.partition(" ")[0]
    if first == "stream":
        return "pair" if "←" in name else "own"
    return first if first in _INPUTS else "features"


def _emits(component: type[Component]) -> Iterator[Sequence[nodes.Node | str]]:
    """Widths of what it promises, with default settings, after three modalities of width D."""
    widths = fits.promises(component)
    if not widths:
        return
    by_width: dict[str, list[str]] = {}
    for name, width in widths.items():
        by_width.setdefault(width, []).append(name.removeprefix("stream ").removeprefix("modality "))
    parts: list[nodes.Node | str] = []
    for width, names in by_width.items():
        parts += ["; " if parts else "", *markup.joined([code(name) for name in names]), f" (N, {width})"]
    before = "features" if issubclass(component, Encoder) else "streams"
    yield [f"Emits, with default settings, for text, audio and visual {before} of width D: ", *parts, "."]


def _surroundings(component: type[Component]) -> Iterator[Sequence[nodes.Node | str]]:
    attempts = fits.surroundings(component)
    accepted = [attempt.where for attempt in attempts if not attempt.refused]
    if accepted:
        yield [f"Builds on {', '.join(accepted)}."]
    for attempt in attempts:
        if attempt.refused:
            yield [f"Not on {attempt.where}: {attempt.refused}."]


def _traits(component: type[Component]) -> Iterator[Sequence[nodes.Node | str]]:
    if issubclass(component, Loss):
        yield ["Terms: ", *markup.joined([code(term) for term in component.terms]), "."]
        if component.couples_rows:
            yield ["Compares the utterances of a batch with each other."]
    elif issubclass(component, Part):
        yield from _future(component)


def _future(component: type[Part]) -> Iterator[Sequence[nodes.Node | str]]:
    sees = fits.sees_future(component)
    if sees is not None:
        yield ["An utterance's result may depend on later ones." if sees else "Hears nothing of later utterances."]


def _partner(attempt: fits.Attempt) -> nodes.Node:
    link: nodes.Node = markup.reference(attempt.where, attempt.where.partition("/")[2], typ="component")
    if not attempt.settings:
        return link
    return nodes.inline("", "", link, nodes.Text(" with "), code(attempt.settings))


def _docstring_of(component: type[Component]) -> str:
    return f"{inspect.getfile(component)}:docstring of {component.__module__}.{component.__qualname__}"
