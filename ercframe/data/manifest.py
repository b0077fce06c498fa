"""What a bundle says of itself: ``manifest.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ercframe.data.json_faults import problems_of
from ercframe.data.migrate import SCHEMA_VERSION, migrated, readable
from ercframe.data.records import SpeakerIds, Split
from ercframe.errors import InputError

MANIFEST, DIALOGUES, INDEX = "manifest.json", "dialogues.jsonl", "index.safetensors"
EXTRACTING = ".extracting"
"""Folder in a bundle with what was extracted so far, a folder for each modality; no part of the bundle."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(_Section):
    """A file that the importer read."""

    name: str = Field(description="File name, without folders.")
    sha256: Digest = Field(description="Digest of its content.")


class MadeBy(_Section):
    """What wrote the bundle, so that it can be written again."""

    ercframe: str = Field(description="Version of ercframe.")
    importer: str = Field(description="Name of the importer.")
    settings: dict[str, Any] = Field(description="Its settings; of files only the name.")
    sources: tuple[Origin, ...] = Field(description="The files it read.")


class Speakers(_Section):
    """What the speaker ids mean."""

    ids: SpeakerIds = Field(
        description="corpus: an id is the same speaker in every dialogue. order: ids count the speakers of each "
        "dialogue as they first appear in it, unscored utterances included."
    )
    count: Count = Field(description="Number of ids: all names of the corpus, or the most in one dialogue.")
    names: tuple[str, ...] = Field((), description="ids = corpus: the name of each id.")
    are: Literal["people", "sides"] = Field(
        description="sides: names such as F and M that recur in nearly every dialogue and identify nobody."
    )


class Part(_Section):
    """One of the arrays that were joined into a modality."""

    array: str = Field(description="Its name in the source.")
    width: int = Field(ge=1, description="Number of its columns.")


class Standardisation(_Section):
    """How values are standardised when they are loaded; mean and scale are in the features file."""

    split: Literal["train"] = Field("train", description="Split whose available rows gave mean and scale.")
    rows: Count = Field(description="Number of those rows.")
    floor: float = Field(
        gt=0, description="A deviation up to floor * max(1, |mean|) counts as none; the scale is then 1."
    )
    clip: float | None = Field(gt=0, description="Largest absolute value after standardisation; null: no limit.")
    constant: tuple[int, ...] = Field((), description="Columns without deviation.")


class Noticed(_Section):
    """A finding of an importer or an extractor."""

    level: Literal["warning", "note"] = Field(description="How grave.")
    topic: str = Field(description="What it is about.")
    message: str = Field(description="What was found.")
    places: tuple[str, ...] = Field((), description="The first places where it was found.")


class Modality(_Section):
    """Features of one modality and where they come from."""

    file: str = Field(description="Path in the bundle; holds values, available, mean and scale.")
    width: int = Field(ge=1, description="Number of columns.")
    dtype: Literal["float16", "float32", "float64"] = Field(description="Type of the stored, raw values.")
    available: Count = Field(description="Number of utterances that have the modality.")
    parts: tuple[Part, ...] = Field((), description="The arrays joined, in order.")
    extractor: str = Field(description="What computed the values; 'imported' where the source does not say.")
    version: str = Field("", description="Version of the extractor.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Settings of the extractor.")
    revision: str = Field("", description="What identifies the extractor's model: a commit, or a digest of its files.")
    packages: dict[str, str] = Field(default_factory=dict, description="Packages it computed with, and their versions.")
    device: str = Field("", description="What it computed on.")
    licence: str = Field("", description="Terms of the extractor and its model, beside those of the corpus.")
    fitted: str = Field("", description="Path in the bundle of what the extractor learnt from train; may be empty.")
    noticed: tuple[Noticed, ...] = Field((), description="What the extractor noticed.")
    source: Origin | None = Field(None, description="File from which the values were read.")
    standardisation: Standardisation = Field(description="Applied at loading.")


class SplitSizes(_Section):
    """How large a split is."""

    dialogues: Count = Field(description="Number of dialogues.")
    utterances: Count = Field(description="Number of utterances.")
    scored: Count = Field(description="Number of utterances with a label.")


class Manifest(_Section):
    """The whole of ``manifest.json``."""

    schema_version: Literal[2] = Field(SCHEMA_VERSION, description="Version of the bundle format.")
    corpus: str = Field(min_length=1, description="Name of the corpus.")
    licence: str = Field("", description="Terms of use, as the importer knows them.")
    made_by: MadeBy = Field(description="What wrote the bundle.")
    labels: tuple[str, ...] = Field(min_length=1, description="Emotion names; label i is labels[i].")
    label_map: dict[str, str | None] | None = Field(
        None, description="What became of the corpus's own emotions at import; one that became null is context only."
    )
    targets: dict[str, int] = Field(default_factory=dict, description="Width of every further target.")
    groups: tuple[str, ...] = Field(
        (), description="Names of what should not be divided between splits, such as recording sessions."
    )
    speakers: Speakers = Field(description="What speaker ids mean.")
    splits: dict[Split, SplitSizes] = Field(description="Size of every split.")
    modalities: dict[str, Modality] = Field(default_factory=dict, description="Features.")
    noticed: tuple[Noticed, ...] = Field((), description="What the importer noticed.")
    files: dict[str, Digest] = Field(description="SHA-256 of every other file of the bundle.")

    @property
    def utterances(self) -> int:
        """Number of utterances over all splits."""
        return sum(split.utterances for split in self.splits.values())

    @property
    def dialogues(self) -> int:
        """Number of dialogues over all splits."""
        return sum(split.dialogues for split in self.splits.values())


def read_manifest(bundle: Path) -> Manifest:
    """Read and validate ``manifest.json``.

    Raises:
        InputError: there is none, it is damaged, or a newer ercframe wrote it.
    """
    path = bundle / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict) or "schema_version" not in raw:
            raise ValueError("it must be a mapping with schema_version")
    except (FileNotFoundError, NotADirectoryError):
        why = f": it has no {MANIFEST}" if bundle.is_dir() else ": it is a file" if bundle.exists() else ""
        raise InputError(f"no bundle at {bundle}{why}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as a manifest: {error}; import the bundle again") from None
    if not readable(raw["schema_version"]):
        raise InputError(
            f"{path}: schema_version must be 1 to {SCHEMA_VERSION} (got {raw['schema_version']!r}); "
            "a bundle of a newer version must be read by the ercframe that wrote it, or imported again"
        )
    try:
        return Manifest.model_validate_json(json.dumps(migrated(raw)))
    except ValidationError as error:
        raise InputError(f"{path} is damaged; import the bundle again", list(problems_of(error))) from None
