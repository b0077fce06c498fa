"""Loading a recipe: find it, lay overrides over it, check it against the plugins there are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ercframe import plugins
from ercframe.recipes.ablations import check_ablations, plain_ablations
from ercframe.recipes.files import Chain, find, named_plugin_files, read_chain
from ercframe.recipes.merge import flattened, merge, merge_recipes
from ercframe.recipes.model import Loaded, Recipe
from ercframe.recipes.overrides import parse_overrides
from ercframe.recipes.settings_check import join
from ercframe.recipes.sources import Finding, Place, SourceMap, shown
from ercframe.recipes.validate import Checked, check
from ercframe.recipes.yaml_tree import Node

_LEFT_OUT = ("must be given", "must have a type", "must have at least one loss")
"""How findings begin that are about what is not there."""

ONLY_TO_TRAIN = ("trackers", "demo", "ablations")
"""Keys that are nothing to whoever uses what a recipe trained."""

GENERATED_DATA = Node({"dataset": Node({"type": Node("synthetic")}, implied=True)}, implied=True)


def load(
    source: str | Path,
    overrides: Sequence[str] = (),
    *,
    plugin_files: Sequence[Path] = (),
    demo: bool = False,
    to_train: bool = True,
) -> Loaded:
    """Read a recipe, fill in what it leaves out and check it.

    Args:
        source: a recipe file, or the name of an installed recipe.
        overrides: ``key=value`` settings, which win over the file; keys may be dotted, values are YAML.
        plugin_files: loose plugin files besides those that the recipe names.
        demo: train on generated conversations instead of the recipe's data, with the recipe's ``demo:`` settings.
        to_train: False where something trained is only used: the plugins of what plays no part in that, such as
            trackers, need not be there.

    Raises:
        InputError: there is no such recipe, or something in it is wrong; lists every problem.
    """
    path, notices = find(source)
    chain = read_chain(path)
    if not to_train:
        chain = replace(chain, tree=_without(chain.tree, ONLY_TO_TRAIN))
    changes, findings = parse_overrides(overrides)
    changes, named, problems = _named_plugins(changes)
    findings = [*chain.findings, *findings, *problems]
    files = tuple(dict.fromkeys((*chain.plugins, *named, *plugin_files)))
    registry = plugins.load(files)
    tree = merge_recipes(chain.tree, changes)
    used = _on_generated_data(tree, changes) if demo else tree
    checked, problems = check(used, registry)
    findings += problems if _extends_known(chain) else [f for f in problems if not f.message.startswith(_LEFT_OUT)]
    if not demo and "demo" in tree.children:  # a slip there should not wait for the day that somebody asks for a demo
        known = {(finding.place, finding.key) for finding in findings}
        findings += [f for f in check(_on_generated_data(tree), registry)[1] if (f.place, f.key) not in known]
    if not (demo or findings or check(chain.tree, registry)[1]):  # as written: they need not fit what is changed now
        findings += check_ablations(chain.tree, registry)
    sources = SourceMap(shown(path), dict(_places(used)), chain.extends)
    if checked is None or findings:
        raise sources.error(findings)
    notices += [f"Plugin {failure.origin} cannot be used: {failure.cause}" for failure in registry.failures]
    return Loaded(_recipe(checked, path.stem, tree, files), registry, tuple(notices), sources)


def _without(tree: Node, keys: Collection[str]) -> Node:
    return replace(tree, value={key: node for key, node in tree.children.items() if key not in keys})


def _extends_known(chain: Chain) -> bool:
    """Whether everything that the recipe extends was found; if not, nobody knows what it leaves out."""
    return not any(finding.key == "extends" for finding in chain.findings)


def _named_plugins(changes: Node) -> tuple[Node, tuple[Path, ...], list[Finding]]:
    """Take ``plugins=[…]`` out of the overrides; its files are relative to the current directory."""
    node = changes.children.get("plugins")
    if node is None:
        return changes, (), []
    files, problems = named_plugin_files(node, Path())
    rest = {key: child for key, child in changes.children.items() if key != "plugins"}
    return replace(changes, value=rest), files, problems


def _on_generated_data(tree: Node, changes: Node | None = None) -> Node:
    """The recipe as ``--demo`` runs it: generated conversations, its demo settings, and over both the overrides."""
    for layer in (GENERATED_DATA, tree.children.get("demo"), changes):
        tree = merge(tree, replace(layer, implied=True)) if layer else tree
    return tree


def _places(node: Node, key: str = "") -> Iterator[tuple[str, Place]]:
    """Every dotted key with the place of its value."""
    yield key, node.place
    items = enumerate(node.value) if isinstance(node.value, list) else node.children.items()
    for name, child in items:
        yield from _places(child, join(key, str(name)))


def _as_name(stem: str) -> str:
    """A file's stem as a name that :class:`~ercframe.recipes.frame.Frame` takes, so that the run can be repeated."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", plain).strip("-_.+") or "recipe"


def _recipe(checked: Checked, stem: str, tree: Node, files: tuple[Path, ...]) -> Recipe:
    frame, demo = checked.frame, tree.children.get("demo")
    return Recipe(
        name=frame.name or _as_name(stem),
        modalities=frame.modalities,
        dataset=checked.slots["dataset"],
        transforms=checked.transforms,
        encoder=checked.slots["encoder"],
        fusion=checked.slots["fusion"],
        classifier=checked.slots["classifier"],
        losses=checked.losses,
        trainer=frame.trainer,
        protocol=frame.protocol,
        trackers=checked.trackers,
        data_help=frame.data_help,
        demo={key: node.plain() for key, node in flattened(demo)} if demo else {},
        ablations=plain_ablations(tree),
        plugin_files=files,
    )
