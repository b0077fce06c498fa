"""Squares of pictures: around the largest face, or in the middle."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe import InputError, require
from ercframe_plugins.extractors.pictures import Picture

# Shape letters: H height, W width, K faces.

SEARCHED = 640
"""Pixels of the longer side of the picture that faces are looked for in; a larger one is made smaller for it."""
OVERLAP, MOST = 0.3, 100
"""Of two boxes that overlap more than this, the better one is a face; and how many are considered at most."""
NO_DETECTOR = "must be a YuNet detector in ONNX that OpenCV can read"


class FaceFinder:
    """OpenCV's ``FaceDetectorYN`` with a YuNet model (Wu et al., Machine Intelligence Research 20, 2023).

    Args:
        model: the ONNX file.
        score: least confidence of a face, 0 to 1.
        extra: the extra that installs OpenCV for this purpose.
        purpose: who needs it, for errors.
    """

    def __init__(self, model: Path, score: float, extra: str, purpose: str) -> None:
        self.model, self.score, self._purpose = model, score, purpose
        self._cv2: Any = require("cv2", extra, purpose)

    def largest(self, picture: Picture) -> tuple[float, float, float, float] | None:
        """Left, top, width and height of the largest face in pixels; None where there is none."""
        height, width = picture.shape[:2]
        shrink = min(1.0, SEARCHED / max(height, width))
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        small = picture if shrink == 1 else self._cv2.resize(picture, size, interpolation=self._cv2.INTER_AREA)
        self._detector.setInputSize(size)
        _, found = self._detector.detect(np.ascontiguousarray(small[..., ::-1]))  # OpenCV's order is blue, green, red
        if found is None:
            return None
        boxes_K4: NDArray[np.float64] = found[:, :4].astype(np.float64)
        left, top, wide, high = (boxes_K4[np.argmax(boxes_K4[:, 2] * boxes_K4[:, 3])] / shrink).tolist()
        return left, top, wide, high

    @cached_property
    def _detector(self) -> Any:
        cv2 = self._cv2
        cv2.setNumThreads(1)  # what runs in parallel are files
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            return cv2.FaceDetectorYN.create(str(self.model), "", (32, 32), self.score, OVERLAP, MOST)
        except cv2.error:
            raise InputError(f"{self._purpose}: face_model {NO_DETECTOR} (got {self.model})") from None
        finally:
            cv2.utils.logging.setLogLevel(level)


def square_around(picture: Picture, box: tuple[float, float, float, float], margin: float) -> Picture:
    """The square around a box, enlarged by ``margin`` times its longer side on every side.

    Where it reaches beyond the picture, the picture's border is repeated.
    """
    left, top, width, height = box
    side = max(1, round(max(width, height) * (1 + 2 * margin)))
    x, y = round(left + width / 2 - side / 2), round(top + height / 2 - side / 2)
    rows = np.clip(np.arange(y, y + side), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(x, x + side), 0, picture.shape[1] - 1)
    return picture[rows[:, None], columns]


def middle_square(picture: Picture) -> Picture:
    """The largest square in the middle."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
