"""From the arguments of ``ercframe data import`` and ``extract`` to the component's config."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ercframe.components import Component, Extractor, Importer
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
        findings.append(_no_use(importer, OPTIONS[field]))
    return _checked(importer, merge(tree, Node(dict(options))), findings)


def configure_extractor(extractor: type[Extractor], settings: Sequence[str], options: Mapping[str, object]) -> Any:
    """The extractor's config.

    Args:
        extractor: its class.
        settings: ``KEY=VALUE``, as a recipe's overrides.
        options: ``--media``, ``--workers`` and ``--device``; None where not given.

    Raises:
        InputError: something is unknown, has a wrong value, is missing or of no use; lists every problem.
    """
    tree, findings = parse_overrides(settings, "batch_size=16")
    reads_files = bool({"audio", "video"} & set(extractor.needs))
    useful = {"--media": reads_files, "--workers": reads_files, "--device": extractor.on_device}
    findings += [_no_use(extractor, name) for name in useful if options[name] is not None and not useful[name]]
    if reads_files and options["--media"] is None:
        needs = " and ".join(need for need in extractor.needs if need in ("audio", "video"))
        message = f"must be the folder that the bundle's paths of files start from: '{extractor.name}' needs {needs}"
        findings.append(Finding(COMMAND_LINE, "--media", message))
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", str(options["--device"] or "auto")):
        findings.append(
            Finding(COMMAND_LINE, "--device", f"must be auto, cpu, cuda or cuda:1 (got '{options['--device']}')")
        )
    return _checked(extractor, tree, findings)


def _no_use(component: type[Component], option: str) -> Finding:
    return Finding(COMMAND_LINE, option, f"{component.kind} '{component.name}' has no use for it")


def _checked(component: type[Component], tree: Node, findings: list[Finding]) -> Any:
    """The config with these settings, or one error with these findings and those about the settings."""
    config, wrong = check_settings(component.Config, "", tree)
    if findings or wrong:
        raise SourceMap(f"the settings of {component.kind} '{component.name}'").error([*findings, *wrong])
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
