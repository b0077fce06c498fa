"""Extracting in the same way as for a bundle, for utterances that are in none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ercframe.components import Extractor
from ercframe.data.fitted import Fitted
from ercframe.data.manifest import Modality
from ercframe.data.views import UtteranceView
from ercframe.errors import InputError
from ercframe.extraction.blocks import Missing, blocks, extract, read
from ercframe.extraction.survey import missing_input
from ercframe.registry import Registry

# Shape letters: N utterances, D features.


def rebuild(
    modality: Modality,
    folder: Path,
    registry: Registry,
    device: str = "cpu",
    changes: Mapping[str, Any] | None = None,
) -> Extractor:
    """The extractor that computed a modality, loaded, with what it learnt.

    Args:
        modality: its entry in a manifest.
        folder: where ``modality.fitted`` is, such as the bundle.
        registry: where to find it.
        device: ``"cpu"``, ``"cuda:0"`` or the like.
        changes: settings to use instead of the recorded ones, such as another folder with the same model.

    Raises:
        InputError: the modality was imported, the extractor is not installed, or it would give other values: its
            version, its settings or its model are not those of then.
    """
    if modality.extractor not in registry.names("extractor"):
        raise InputError(
            f"no extractor computes {modality.file}: {registry.why_unknown('extractor', modality.extractor)}"
        )
    kind: Any = registry.get("extractor", modality.extractor)
    try:
        extractor: Extractor = kind(kind.Config.model_validate({**modality.settings, **(changes or {})}))
    except ValidationError as error:
        raise _other(modality, f"its settings are not accepted any more ({error.error_count()} are wrong)") from None
    if extractor.version != modality.version:
        raise _other(modality, f"its version must be {modality.version} (got {extractor.version})")
    if extractor.revision != modality.revision:
        raise _other(modality, f"its model must be {modality.revision} (got {extractor.revision or 'none'})")
    extractor.load(device)
    if modality.fitted:
        extractor.restore(Fitted.open(folder / modality.fitted))
    return extractor


def extract_views(
    extractor: Extractor, views: Sequence[UtteranceView], width: int
) -> tuple[NDArray[np.float32], dict[int, Missing]]:
    """Features of some utterances, raw.

    Args:
        extractor: loaded.
        views: the utterances, N.
        width: number of columns, D, which nothing tells where no utterance has features.

    Returns:
        ``(N, D)``, NaN where unknown, and why utterances have none, by their number.

    Raises:
        RunError: the extractor's code failed.
    """
    missing = {i: why for i, view in enumerate(views) if (why := missing_input(extractor, view))}
    values_ND = np.full((len(views), width), np.nan, np.float32)
    there = ((i, view) for i, view in enumerate(views) if i not in missing)
    for block in blocks(there, extractor.batch_size):
        result = extract(extractor, block.turns, read(extractor, block.turns))
        if result.values.shape[1]:
            values_ND[list(block.rows)] = result.values
        missing |= {block.rows[i]: why for i, why in result.missing.items()}
    return values_ND, missing


def _other(modality: Modality, what: str) -> InputError:
    return InputError(f"extractor '{modality.extractor}' would give other values than in the bundle: {what}")
