"""One utterance as anybody may write it down: the fields of a line of JSON."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ercframe.data.json_faults import parse_strictly, problems_of, written
from ercframe.errors import InputError, Problem

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"must be a path below the folder of the file (got {written(path)})")
    return path


MediaFile = Annotated[
    str,
    AfterValidator(_inside),
    Field(min_length=1, json_schema_extra={"pattern": r"^(?!/)(?!(.*/)?\.\.(/|$))"}),
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Media(_Strict):
    """Recordings of one utterance, relative to the folder of the file that names them.

    A file that several utterances of a dialogue name is a recording of all of them, each from its start to its end.
    """

    audio: MediaFile | None = Field(None, description="Sound of the utterance.")
    video: MediaFile | None = Field(None, description="Video of the utterance, perhaps with its sound.")


class Turn(_Strict):
    """One utterance: one line of a conversation file. Only the speaker must be given."""

    speaker: str = Field(description="Who speaks; a name that is the same in all of the dialogue.")
    text: str = Field("", description="What is said.")
    dialogue: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Id of the dialogue; lines without it are one dialogue, called like the file."
    )
    id: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Id of the utterance, unique in the file; DIALOGUE_NUMBER from 0 where it is left out."
    )
    split: Literal["train", "dev", "valid", "validation", "val", "test"] | None = Field(
        None, description="Where the dialogue belongs, the same in all of it; valid, validation and val mean dev."
    )
    group: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="What must not be divided between splits, such as a recording session; of the dialogue."
    )
    label: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Name of the emotion; without one the utterance is context only, not scored."
    )
    start: Seconds | None = Field(None, description="Start in seconds from the beginning of the recording.")
    end: Seconds | None = Field(None, description="End in seconds, at least the start.")
    media: Media = Field(Media(), description="Recordings of the utterance.")
    targets: dict[str, Annotated[tuple[Number | None, ...], Field(min_length=1)]] = Field(
        {}, description="Further things to predict, such as valence: a list of numbers each, null where unknown."
    )

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Turn:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"end must be at least start (got {self.start:g} to {self.end:g})")
        return self


def conversation_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one line."""
    schema = Turn.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "ercframe utterance"}


def parse_turn(line: str, where: str = "") -> Turn:
    """Read one utterance.

    Args:
        line: JSON.
        where: the place of the line for errors, such as ``talk.jsonl:3``.

    Raises:
        InputError: it is no utterance; lists every problem.
    """
    turn, problems = checked_turn(line, where)
    if turn is None:
        raise InputError("an utterance cannot be used", problems)
    return turn


def checked_turn(line: str, where: str) -> tuple[Turn | None, list[Problem]]:
    """An utterance, or None with everything that is wrong with it; as :func:`parse_turn`, which raises."""
    try:
        raw = parse_strictly(line)
        if not isinstance(raw, dict):
            return None, [Problem(where, "", f'must be a mapping such as {{"speaker": "Ann"}} (got {written(raw)})')]
        return Turn.model_validate_json(json.dumps(raw)), []
    except ValidationError as error:
        return None, list(problems_of(error, where, (*Turn.model_fields, *Media.model_fields)))
    except ValueError as error:
        return None, [Problem(where, "", str(error))]
