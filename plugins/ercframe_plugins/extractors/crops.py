"""What an image model sees of a turn: squares of its pictures, all of one size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from ercframe import ComponentConfig, InputError, NotAvailableError, Reading, SourceFile, UtteranceView, require
from ercframe_plugins.extractors.faces import FaceFinder, middle_square, square_around
from ercframe_plugins.extractors.pictures import Picture, read_pictures
from ercframe_plugins.extractors.pool import POOLING_HELP, Pool, Pooling
from ercframe_plugins.extractors.recording import clip_of

# Shape letters: N turns, F frames, S side in pixels, D features.

Crops = NDArray[np.uint8]

INSTEAD = {"skip": "left out", "middle": "their middle taken", "whole": "taken whole"}
"""What happens to pictures without a face, in a remark."""
AT_ONCE = 32
"""Pictures that go through a model together, all of one turn: another turn cannot change their values."""


class CropsConfig(ComponentConfig):
    """Which pictures are taken, and what of them: the same for every extractor of pictures."""

    fps: float = Field(2.0, gt=0, description="Pictures a second.")
    max_pictures: int = Field(
        256, ge=2, description="Of a longer turn, only every second, fourth, … picture, so that there are no more."
    )
    face_model: Path | None = Field(
        None, description="YuNet face detector, an ONNX file. null: no faces are looked for."
    )
    face_score: float = Field(0.6, ge=0, le=1, description="Least confidence of a face.")
    face_margin: float = Field(0.2, ge=0, description="What is added around a face, in parts of its size.")
    no_face: Literal["skip", "middle", "whole"] = Field(
        "middle",
        description="What is taken of a picture without a face: nothing, the square in the middle, or the whole, "
        "squeezed to a square.",
    )
    pooling: Pooling = Field("mean", description=POOLING_HELP)

    @model_validator(mode="after")
    def _something_is_taken(self) -> Self:
        if self.no_face == "skip" and self.face_model is None:
            raise ValueError("no_face must be middle or whole where no face_model is given (got skip)")
        return self


@dataclass(frozen=True)
class Look:
    """What a model wants to see.

    Attributes:
        side: height and width in pixels.
        mean: subtracted from each of red, green and blue, which are 0 to 1.
        std: what is divided by then.
        resample: how to resize, as Pillow numbers it.
    """

    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resample: int


class Cropper:
    """Reads a turn's pictures and cuts squares from them.

    Args:
        config: which, and how.
        extra: the extra that installs what is needed.
        purpose: who needs them, for an error.
    """

    def __init__(self, config: CropsConfig, extra: str, purpose: str) -> None:
        self.config, self._extra, self._purpose = config, extra, purpose
        for package in ("av", "cv2"):
            require(package, extra, purpose)
        self._pil: Any = require("PIL.Image", extra, purpose)
        if config.face_model is not None and not config.face_model.is_file():
            raise InputError(f"{purpose}: face_model must be a file (got {config.face_model})")

    def identified(self, model: str) -> str:
        """The revision of an extractor with this model: values depend on the face detector as well."""
        faces = self.config.face_model
        return ", ".join(filter(None, [model, f"faces {SourceFile.of(faces).sha256}" if faces else ""]))

    def read(self, turn: UtteranceView, look: Look) -> Reading:
        """Squares of a turn, ``(F, S, S, 3)`` uint8.

        Raises:
            NotAvailableError: the video cannot be used, or no picture shows a face and others are skipped.
        """
        tally = Counter[str]()
        kept, step = thinned(self._squares(turn, look, tally), self.config.max_pictures)
        if not kept:
            raise NotAvailableError("no face in any picture")
        return Reading(np.stack(kept), self._remark(tally, step))

    def rows(
        self, contents: Sequence[Crops], look: Look, embed: Callable[[Tensor], Tensor], device: str
    ) -> NDArray[np.float32]:
        """A row for each turn, ``(N, D)``, of its squares, as :meth:`read` took them.

        Args:
            contents: squares of every turn.
            look: how the model wants them.
            embed: from pictures ``(F, 3, S, S)`` to ``(F, D)``.
            device: where to.
        """
        return np.stack([_pooled(crops_FSS3, look, embed, device, self.config.pooling) for crops_FSS3 in contents])

    def _squares(self, turn: UtteranceView, look: Look, tally: Counter[str]) -> Iterator[Picture]:
        """Every square; ``tally`` gains the number of pictures and that of faces."""
        for picture in read_pictures(clip_of(turn, "video"), self.config.fps):
            square, is_face = self._square(picture)
            tally.update(pictures=1, faces=is_face)
            if square is not None:
                yield self._resized(square, look)

    def _square(self, picture: Picture) -> tuple[Picture | None, bool]:
        """What is taken of a picture, and whether it is a face."""
        box = self._finder.largest(picture) if self._finder else None
        if box:
            return square_around(picture, box, self.config.face_margin), True
        if self.config.no_face == "skip":
            return None, False
        return (middle_square(picture) if self.config.no_face == "middle" else picture), False

    @cached_property
    def _finder(self) -> FaceFinder | None:
        model = self.config.face_model
        return FaceFinder(model, self.config.face_score, self._extra, self._purpose) if model else None

    def _resized(self, square: Picture, look: Look) -> Picture:
        image = self._pil.fromarray(np.ascontiguousarray(square))
        return np.asarray(image.resize((look.side, look.side), resample=look.resample))

    def _remark(self, tally: Counter[str], step: int) -> str:
        remarks = []
        if step > 1:
            remarks.append(f"with more than {self.config.max_pictures} pictures: one in {step} taken")
        if self._finder and tally["faces"] < tally["pictures"]:
            where = "some pictures" if tally["faces"] else "any picture"
            remarks.append(f"without a face in {where}: {INSTEAD[self.config.no_face]}")
        return "; ".join(remarks)


def thinned(pictures: Iterable[Picture], most: int) -> tuple[list[Picture], int]:
    """Every picture, or every second, fourth, … one, so that there are no more than ``most``; and that step."""
    kept: list[Picture] = []
    step = 1
    for number, picture in enumerate(pictures):
        if number % step == 0 and len(kept) == most:
            kept, step = kept[::2], 2 * step
        if number % step == 0:
            kept.append(picture)
    return kept, step


@torch.inference_mode()
def _pooled(
    crops_FSS3: Crops, look: Look, embed: Callable[[Tensor], Tensor], device: str, pooling: Pooling
) -> NDArray[np.float32]:
    """One row for the squares of a turn, ``(D,)`` or ``(2 D,)``."""
    pool = Pool(pooling)
    for first in range(0, len(crops_FSS3), AT_ONCE):
        x_FSS3 = crops_FSS3[first : first + AT_ONCE].astype(np.float32) / 255
        x_FSS3 = (x_FSS3 - np.array(look.mean, np.float32)) / np.array(look.std, np.float32)
        x_F3SS = torch.from_numpy(np.ascontiguousarray(x_FSS3.transpose(0, 3, 1, 2)))
        pool.add(embed(x_F3SS.to(device)).cpu().numpy())
    return pool.row()
