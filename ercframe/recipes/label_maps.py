"""Files of label maps: YAML, an old name and what becomes of it in each line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ercframe.errors import InputError, nearest
from ercframe.recipes.files import label_maps_folder, read_text
from ercframe.recipes.sources import Finding, Place, SourceMap, shown
from ercframe.recipes.yaml_tree import Node, parse, written


def installed_label_maps() -> tuple[str, ...]:
    """Names of the label maps that came with ercframe, sorted."""
    return tuple(sorted(path.stem for path in label_maps_folder().glob("*.yaml")))


def read_label_map(source: str | Path) -> dict[str, str | None]:
    """Read a label map: old name to new name, None for what becomes context only.

    Args:
        source: a file, or the name of an installed label map.

    Raises:
        InputError: there is no such map, or something in it is wrong; lists every problem.
    """
    path = _find(source)
    root, findings = parse(read_text(path), Place(shown(path), 1, 1))
    findings += _mistakes(root)
    if findings:
        raise SourceMap(shown(path)).error(findings)
    return {old: node.value for old, node in root.children.items() if isinstance(node.value, str | None)}


def _find(source: str | Path) -> Path:
    path, names = Path(source), installed_label_maps()
    if path.is_file():
        return path
    if str(path) in names:
        return label_maps_folder() / f"{path}.yaml"
    raise InputError(
        f"there is no label map '{source}'{nearest(path.stem, names)}",
        help=f"Give a file, or the name of an installed label map: {', '.join(names)}",
    )


def _mistakes(root: Node) -> list[Finding]:
    if not root.children:
        got = "an empty file" if root.value is None else written(root.value)
        return [Finding(root.place, "", f"must be a mapping of old names to new ones (got {got})")]
    return [
        Finding(node.place, old, f"must be the new name, or null for context only (got {written(node.value)})")
        for old, node in root.children.items()
        if not (node.value is None or (isinstance(node.value, str) and node.value))
    ]


def _from_file(value: Any) -> Any:
    """A file's content for its name, so that the resolved recipe holds the map itself."""
    if not isinstance(value, str):
        return value
    try:
        return read_label_map(value)
    except InputError as error:
        found = "; ".join(" ".join(filter(None, (p.where, p.what, p.message))) for p in error.problems)
        raise ValueError(": ".join(filter(None, (error.title, found)))) from None


LabelMap = Annotated[
    dict[str, Annotated[str, Field(min_length=1)] | None],
    BeforeValidator(_from_file, json_schema_input_type=str | dict[str, str | None]),
]
"""A setting of a component: a label map, or the name of its file, which is read when the recipe is."""
