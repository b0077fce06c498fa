"""What a model was told of its corpus, and how utterances that are in no bundle become what it reads.

A run keeps it in ``inputs/``, so that it can predict when the bundle is gone::

    inputs/inputs.json                   the corpus as the model knows it, speakers, and of each modality what the
                                         bundle's manifest says of it
    inputs/statistics.safetensors        MODALITY.mean and MODALITY.scale, (D,) each
    inputs/MODALITY.fitted.safetensors   what an extractor learnt, where one did
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ercframe.data import standardise
from ercframe.data.json_faults import problems_of
from ercframe.data.manifest import Modality, Speakers
from ercframe.data.records import all_nan
from ercframe.data.speakers import NOBODY, by_appearance, numbered
from ercframe.data.standardise import Statistics
from ercframe.errors import InputError
from ercframe.files import write_atomically, write_json
from ercframe.specs import DatasetInfo

# Shape letters: L utterances of one dialogue, D features.

FOLDER, WORDS, NUMBERS = "inputs", "inputs.json", "statistics.safetensors"


@dataclass(frozen=True)
class Preparation:
    """From the raw features of a modality to those that a model reads.

    Attributes:
        modality: its entry in the bundle's manifest.
        statistics: mean and scale of every column, from the training split.
        standardise: false: raw values, with unknown ones at the training mean.
        clip: largest absolute value after standardisation; None: no limit.
    """

    modality: Modality
    statistics: Statistics
    standardise: bool
    clip: float | None

    def apply(self, raw_LD: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Features ``(L, D)`` as in training, and which rows are available, ``(L,)``; NaN is unknown in ``raw_LD``."""
        available_L = ~all_nan(raw_LD)
        if not self.standardise:
            return standardise.fill(raw_LD, available_L, self.statistics), available_L
        return standardise.apply(raw_LD, available_L, self.statistics, self.clip), available_L


@dataclass(frozen=True)
class Intake:
    """How new conversations become what a dataset hands out.

    Attributes:
        folder: where the files are that ``modality.fitted`` names.
        speakers: what speaker ids mean.
        modalities: in the recipe's order.
    """

    folder: Path
    speakers: Speakers
    modalities: Mapping[str, Preparation]

    def speaker_ids(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Ids of the speakers of one dialogue, ``(L,)``; whoever the model has no row for is "unknown"."""
        unknown = self.speakers.count
        if self.speakers.ids == "corpus":
            known = {name: i for i, name in enumerate(self.speakers.names)}
            return np.array([known.get(name, unknown) for name in names], dtype=np.int64)
        ids_L = by_appearance(np.array(numbered(names)[0], dtype=np.int64))
        return np.where((ids_L == NOBODY) | (ids_L >= unknown), unknown, ids_L)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Prepared(_Section):
    modality: Modality
    standardise: bool
    clip: float | None


class _Words(_Section):
    """The whole of ``inputs.json``; ``speakers`` is null where the dataset knows no way for new conversations."""

    schema_version: Literal[1] = 1
    corpus: DatasetInfo
    provenance: dict[str, str] = {}
    speakers: Speakers | None = None
    modalities: dict[str, _Prepared] = {}


@dataclass(frozen=True)
class Inputs:
    """What a run keeps of its data.

    Attributes:
        info: what the model was built on.
        intake: None where the dataset has no way for new conversations.
        provenance: where the data comes from and its terms, as :meth:`ercframe.Dataset.provenance` says.
    """

    info: DatasetInfo
    intake: Intake | None
    provenance: Mapping[str, str] = field(default_factory=dict)


def write_inputs(run: Path, inputs: Inputs) -> None:
    """Keep them in a run folder; ``inputs.json`` comes last and makes them whole.

    Raises:
        OSError: a file cannot be written, or what an extractor learnt is no longer in the bundle.
    """
    folder, prepared, intake = run / FOLDER, dict[str, _Prepared](), inputs.intake
    if intake:
        statistics = {
            f"{name}.{key}": np.ascontiguousarray(getattr(p.statistics, key))
            for name, p in intake.modalities.items()
            for key in ("mean", "scale")
        }
        write_atomically(folder / NUMBERS, lambda path: save_file(statistics, path))
        for name, p in intake.modalities.items():
            fitted = f"{name}.fitted.safetensors" if p.modality.fitted else ""
            if fitted:
                write_atomically(folder / fitted, partial(shutil.copyfile, intake.folder / p.modality.fitted))
            modality = p.modality.model_copy(update={"fitted": fitted})
            prepared[name] = _Prepared(modality=modality, standardise=p.standardise, clip=p.clip)
    words = _Words(
        corpus=inputs.info,
        provenance=dict(inputs.provenance),
        speakers=intake.speakers if intake else None,
        modalities=prepared,
    )
    write_json(folder / WORDS, words.model_dump(mode="json"))


def read_inputs(run: Path) -> Inputs:
    """What :func:`write_inputs` kept.

    Raises:
        FileNotFoundError: the run has no ``inputs.json``.
        InputError: a file is damaged.
    """
    folder = run / FOLDER
    try:
        text = (folder / WORDS).read_text(encoding="utf-8")
        words = _Words.model_validate_json(json.dumps(json.loads(text)))
        if words.speakers is None:
            return Inputs(words.corpus, None, words.provenance)
        numbers = load_file(folder / NUMBERS)
        modalities = {name: _preparation(name, entry, numbers) for name, entry in words.modalities.items()}
    except FileNotFoundError as error:
        if Path(error.filename or "").name == WORDS:
            raise
        raise InputError(f"{folder} is damaged: {error}") from None
    except ValidationError as error:
        raise InputError(f"{folder / WORDS} is damaged", list(problems_of(error))) from None
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputError(f"{folder} is damaged: {error}") from None
    return Inputs(words.corpus, Intake(folder, words.speakers, modalities), words.provenance)


def _preparation(name: str, entry: _Prepared, numbers: Mapping[str, NDArray[np.float32]]) -> Preparation:
    mean, scale = (numbers[f"{name}.{key}"] for key in ("mean", "scale"))
    if not mean.shape == scale.shape == (entry.modality.width,):
        raise ValueError(f"{NUMBERS}: '{name}' must have {entry.modality.width} columns (got {list(mean.shape)})")
    return Preparation(entry.modality, Statistics(mean, scale), entry.standardise, entry.clip)
