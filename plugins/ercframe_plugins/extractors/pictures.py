"""Pictures of a video at a stated rate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe_plugins.extractors.recording import Clip, Track, open_track

# Shape letters: H height, W width.

Picture = NDArray[np.uint8]


def read_pictures(clip: Clip, fps: float) -> Iterator[Picture]:
    r"""The pictures that a viewer sees at the times

    .. math:: t_k = t_\text{start} + \frac{k + 1/2}{f}, \qquad k = 0, 1, \dots, \qquad t_k < t_\text{end}

    of a clip. A picture is seen from its own time to that of the next one, however irregular these are, so one may be
    returned several times or never; the first one also stands for the time before it. A clip that ends before
    :math:`t_0` gives its last picture. Pixels are taken to be square.

    Args:
        clip: file, start and end.
        fps: :math:`f`, pictures per second.

    Returns:
        ``(H, W, 3)`` uint8, red, green, blue, turned as the file says they are to be seen.

    Raises:
        NotAvailableError: the file cannot be used; see :mod:`~ercframe_plugins.extractors.recording`.
    """
    taken, frame = 0, None
    with open_track(clip, "video") as track:
        for frame, until in _seen(track):
            while clip.start + (taken + 0.5) / fps < until:
                yield _upright(frame)
                taken += 1
        if frame is not None and not taken:
            yield _upright(frame)


def _seen(track: Track) -> Iterator[tuple[Any, float]]:
    """Every decoded picture and until when it is seen."""
    previous = None
    for timed in track.frames():
        if previous is not None:
            yield previous.frame, timed.start
        previous = timed
    if previous is not None:
        yield previous.frame, min(previous.end, math.inf if track.clip.end is None else track.clip.end)


def _upright(frame: Any) -> Picture:
    picture: Picture = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(picture, frame.rotation // 90))
