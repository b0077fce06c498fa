"""YAML text as a tree of values that know where they stand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from ercframe.recipes.core_schema import Scalar, resolve
from ercframe.recipes.sources import COMMAND_LINE, Finding, Place, SourceMap

MOST_VALUES = 10_000
DEEPEST = 30


@dataclass(frozen=True)
class Node:
    """A value with its place.

    Attributes:
        value: a scalar, a list of nodes, or nodes by key.
        place: where the value stands.
        key_place: where its key stands; None for the root, in a list, and on the command line.
        implied: True for a mapping that nobody wrote, such as ``a`` in ``a.b=1``.
    """

    value: Scalar | list[Node] | dict[str, Node]
    place: Place = COMMAND_LINE
    key_place: Place | None = None
    implied: bool = False

    @property
    def children(self) -> dict[str, Node]:
        """Nodes by key; none where the value is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value


def parse(text: str, source: Place) -> tuple[Node, list[Finding]]:
    """Read one YAML document.

    Args:
        text: the document.
        source: the file's place, or :data:`COMMAND_LINE`, whose values then have no line of their own.

    Returns:
        The root, whose value is None where the document is empty, and what does not keep it from being read:
        duplicate keys, tags, keys that are not text.

    Raises:
        InputError: the text is not YAML, or is too large or too deep for a recipe.
    """
    reader = _Reader(source)
    try:
        return reader.read(text), reader.findings
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = reader.at(before.count("\n"), len(before) - before.rfind("\n") - 1)
        reader.stop(place, f"must be text (got the character {error.character:#04x})")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = reader.at(mark.line, mark.column) if mark else source
        tab = "'\\t'" in (error.problem or "")
        reader.stop(
            place,
            "must be indented and separated by spaces (got a tab)" if tab else f"must be valid YAML: {error.problem}",
        )


class _Reader:
    """Builds nodes from PyYAML's events, since its own nodes forget which tags were written."""

    def __init__(self, source: Place) -> None:
        self.source = source
        self.findings: list[Finding] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._values = 0

    def read(self, text: str) -> Node:
        events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        next(events)  # the stream's start
        first = next(events)
        if isinstance(first, yaml.StreamEndEvent):
            return Node(None, self.at(0, 0))
        root = self._node(next(events), events, 0)
        next(events)  # the document's end
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._find(after, "", "must hold one YAML document (got a second one)")
        return root

    def at(self, line: int, column: int) -> Place:
        """The place of a position counted from 0."""
        return Place(self.source.source, line + 1, column + 1) if self.source.line else self.source

    def stop(self, place: Place, message: str) -> NoReturn:
        raise SourceMap(self.source.source).error([Finding(place, "", message)])

    def _find(self, event: yaml.Event, key: str, message: str) -> None:
        self.findings.append(Finding(self._place(event), key, message))

    def _place(self, event: yaml.Event) -> Place:
        return self.at(event.start_mark.line, event.start_mark.column) if event.start_mark else self.source

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if depth > DEEPEST:
            self.stop(self._place(event), f"must not be nested more than {DEEPEST} levels deep")
        if event.tag is not None:
            self._find(event, "", f"must not have a tag (got {event.tag.replace('tag:yaml.org,2002:', '!!')})")
        before = self._values
        self._count(event, 1)
        node = Node(self._value(event, events, depth), self._place(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = node, self._values - before
        return node

    def _value(
        self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, events: Iterator[yaml.Event], depth: int
    ) -> Scalar | list[Node] | dict[str, Node]:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, depth)
        if isinstance(event, yaml.CollectionStartEvent):
            return self._sequence(events, depth)
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            self.stop(self._place(event), "must be text (got half of a surrogate pair)")
        return resolve(event.value) if event.style is None else str(event.value)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:  # also an alias inside what it names: no cycle can arise
            self.stop(self._place(event), f"alias '*{event.anchor}' must come after the whole of what it names")
        node, size = self._anchors[event.anchor]
        self._count(event, size)
        return node

    def _count(self, event: yaml.Event, size: int) -> None:
        """Count values with aliases expanded: a few nested ones stand for billions."""
        self._values += size
        if self._values > MOST_VALUES:
            self.stop(self._place(event), f"must not hold more than {MOST_VALUES} values, aliases expanded")

    def _sequence(self, events: Iterator[yaml.Event], depth: int) -> list[Node]:
        nodes = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, events, depth + 1))
        return nodes

    def _mapping(self, events: Iterator[yaml.Event], depth: int) -> dict[str, Node]:
        nodes: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            node = self._node(next(events), events, depth + 1)
            node = Node(node.value, node.place, self._place(event))
            if key.value == "<<" and not getattr(event, "style", None):  # in quotes it is text as any other
                self._find(
                    event,
                    "<<",
                    "YAML 1.2 has no merge keys; repeat the settings, or let extends: name what to start from",
                )
            elif not isinstance(key.value, str):
                self._find(event, "", f"a key must be text (got {written(key.value)}); put it in quotes")
            elif key.value in nodes:
                self._find(event, key.value, f"duplicate key; first at {_position(nodes[key.value])}")
            else:
                nodes[key.value] = node
        return nodes


def _position(node: Node) -> str:
    place = node.key_place or node.place
    return f"{place.line}:{place.column}" if place.line else str(place)


def written(value: object) -> str:
    """A value as YAML would have it, short enough for an error."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))  # no control codes for a terminal
    text = text if len(text) <= 60 else f"{text[:59]}…"
    return f"'{text}'" if isinstance(value, str) else text
