"""From the arguments of ``ercframe data import`` to the importer's config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ercframe.components import Importer
from ercframe.recipes.merge import merge
from ercframe.recipes.overrides import parse_overrides
from ercframe.recipes.settings_check import check_settings
from ercframe.recipes.sources import COMMAND_LINE, Finding, SourceMap
from ercframe.recipes.yaml_tree import Node

OPTIONS = {"modalities": "--modality", "features": "--features"}
"""Config fields that have an option of their own."""


def configure(
    importer: type[Importer], settings: Sequence[str], modalities: Sequence[str], features: Path | None
) -> Any:
    """The importer's config.

    Args:
        importer: its class.
        settings: ``KEY=VALUE``, as a recipe's overrides.
        modalities: ``NAME=ARRAY,ARRAY``.
        features: a file.

    Raises:
        InputError: something is unknown or has a wrong value; lists every problem.
    """
    tree, findings = parse_overrides(settings, "licence=CC0")
    options: dict[str, Node] = {}
    if modalities:
        options["modalities"], wrong = _choice(modalities)
        findings += wrong
    if features is not None:
        options["features"] = Node(str(features))
    for field in [field for field in options if field not in importer.Config.model_fields]:
        del options[field]
        findings.append(Finding(COMMAND_LINE, OPTIONS[field], f"importer '{importer.name}' has no use for it"))
    config, wrong = check_settings(importer.Config, "", merge(tree, Node(dict(options))))
    findings += wrong
    if findings:
        raise SourceMap(f"the settings of importer '{importer.name}'").error(findings)
    return config


def portable(config: Any) -> dict[str, Any]:
    """Settings for the manifest; of a path only the name, since folders differ between machines."""
    plain: dict[str, Any] = config.model_dump(mode="json")
    paths = {name: value for name in type(config).model_fields if isinstance(value := getattr(config, name), Path)}
    return plain | {name: path.name for name, path in paths.items()}


def _choice(texts: Sequence[str]) -> tuple[Node, list[Finding]]:
    """``name=array,array`` for each modality, and what is wrong with it."""
    chosen: dict[str, Node] = {}
    findings = []
    for text in texts:
        name, _, arrays = text.partition("=")
        if not name or not all(arrays.split(",")):
            findings.append(
                Finding(COMMAND_LINE, "--modality", f"must be NAME=ARRAY or NAME=ARRAY,ARRAY (got {text!r})")
            )
        elif name in chosen:
            findings.append(Finding(COMMAND_LINE, "--modality", f"must name a modality once (got '{name}' again)"))
        else:
            chosen[name] = Node([Node(array) for array in arrays.split(",")])
    return Node(dict(chosen)), findings
