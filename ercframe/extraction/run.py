"""Extracting a modality into a bundle: one order, carried out once, by one process."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ercframe.components import Extractor
from ercframe.data.findings import Finding
from ercframe.data.manifest import DIALOGUES, EXTRACTING, INDEX, Manifest
from ercframe.data.reader import Bundle
from ercframe.data.records import FeatureArray
from ercframe.data.writer import noticed
from ercframe.errors import InputError, RunError
from ercframe.extraction.compute import Computed, Means, compute
from ercframe.extraction.findings import findings
from ercframe.extraction.finish import FITTED, add_modality
from ercframe.extraction.journal import Journal
from ercframe.extraction.pool import Maker
from ercframe.extraction.survey import Survey, survey
from ercframe.lock import alone


@dataclass(frozen=True)
class Order:
    """What is to be extracted.

    Attributes:
        maker: the extractor and its settings, for this process and for others.
        settings: the same settings as the manifest keeps them.
        bundle: folder of the bundle.
        modality: name of the modality to add.
        media: folder that the bundle's paths of files start from; None where no files are needed.
        force: whether a modality of this name is replaced.
    """

    maker: Maker
    settings: dict[str, Any]
    bundle: Path
    modality: str
    media: Path | None = None
    force: bool = False


class Observer(Protocol):
    """Who is told how far an extraction is; it never steers."""

    def started(self, turns: int, done: int) -> None:
        """There are so many turns, of which some were done before."""

    def advanced(self, turns: int) -> None:
        """So many more are done, and kept."""


def extract_modality(order: Order, means: Means, observer: Observer) -> tuple[Manifest, list[Finding]]:
    """Extract a modality of a bundle and add it.

    Results are kept block by block in a folder in the bundle; after whatever stopped it, the same order goes on with
    the block it had reached. One with another setting, version, package, model or device begins anew.

    Returns:
        The bundle's new manifest, and what was noticed.

    Raises:
        InputError: the bundle, the modality's name or the model cannot be used, or another process is at it.
        RunError: the extractor failed; ``strict`` and a turn is broken; or the bundle was changed meanwhile.
    """
    bundle = Bundle(order.bundle)
    _check_name(order, bundle)
    extractor = order.maker.make()
    told = _provenance(extractor, means)
    with _work_folder(order, extractor, told, bundle) as work:
        found = survey(extractor, bundle, order.media)
        if extractor.fits and not (work / FITTED).is_file():
            # Written before the first result, it was removed before the last: by a kill while the folder was.
            (work / "journal").unlink(missing_ok=True)
        with Journal(work / "journal") as journal:
            computed = compute(
                found,
                order.maker,
                means,
                journal,
                work / FITTED,
                lambda done: observer.started(found.count, done),
                observer.advanced,
            )
        notes = findings(bundle, order.modality, computed.missing, computed.remarks)
        kept = {**told, "licence": extractor.licence, "noticed": tuple(map(noticed, notes))}
        array = _array(order, found, computed)
        manifest = add_modality(bundle, order.modality, array, work, kept, order.force)
        shutil.rmtree(work.parent)
    return manifest, notes


def _check_name(order: Order, bundle: Bundle) -> None:
    name = order.modality
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        rule = "a modality's name must be lower case letters, digits and underscores, a letter first"
        raise InputError(f"{rule} (got '{name}')")
    if name in bundle.manifest.modalities and not order.force:
        made_by = bundle.manifest.modalities[name].extractor
        raise InputError(
            f"{order.bundle} has a modality '{name}' already ({made_by}); --force replaces it, --as gives another name"
        )


def _provenance(extractor: Extractor, means: Means) -> dict[str, Any]:
    """What the values depend on beside the extractor's name, version and settings."""
    return {
        "revision": extractor.revision,
        "packages": {name: _version(name) for name in extractor.packages},
        "device": _device(means.device) if extractor.on_device else "",
    }


def _version(package: str) -> str:
    """The version of a distribution; another one may provide the same package, as there are several of OpenCV."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _device(name: str) -> str:
    device = torch.device(name)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


@contextmanager
def _work_folder(order: Order, extractor: Extractor, told: dict[str, Any], bundle: Bundle) -> Iterator[Path]:
    """A folder that belongs to this order and, for now, to this process."""
    identity = {
        "extractor": extractor.name,
        "version": extractor.version,
        "settings": json.loads(order.maker.settings),
        "bundle": [bundle.manifest.files.get(file) for file in (DIALOGUES, INDEX)],
        **told,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = bundle.path / EXTRACTING / order.modality
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, wait=False) as free:
        if not free:
            raise InputError(
                f"another process is extracting '{order.modality}' of {order.bundle}; wait until it is done"
            )
        (folder / digest[:16]).mkdir(exist_ok=True)
        try:
            yield folder / digest[:16]
        finally:
            _remove_empty(folder / digest[:16], folder, folder.parent)


def _remove_empty(*folders: Path) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _array(order: Order, found: Survey, computed: Computed) -> FeatureArray:
    """The features as the writer takes them.

    Raises:
        RunError: no utterance that matters has any; nothing could be learnt from them.
    """
    extractor = found.extractor
    if not np.isfinite(computed.values[found.decisive]).any():
        reasons = {why.reason for why in computed.missing.values()}
        raise RunError(f"no utterance could be extracted: {'; '.join(sorted(reasons)[:3])}")
    return FeatureArray(
        computed.values,
        parts=dict.fromkeys(extractor.columns, 1),
        extractor=extractor.name,
        version=extractor.version,
        settings=order.settings,
    )
