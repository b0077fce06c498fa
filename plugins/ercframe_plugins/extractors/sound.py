"""Sound as one channel of samples at a chosen rate, piece by piece."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe import require
from ercframe_plugins.extractors.recording import Clip, Track, open_track

# Shape letters: S samples.

Samples = NDArray[np.float32]


def read_sound(clip: Clip, rate: int) -> Iterator[Samples]:
    """Decode a clip to one channel, in blocks ``(S,)`` float32 of full scale 1.

    The channel is the mean of all. The samples of the clip are cut out at the file's own rate and then resampled, so
    that a part of a long recording equals a file that holds that part alone. At the file's own rate nothing is
    resampled. What an encoder added after the end of the track is left out.

    Args:
        clip: file, start and end.
        rate: samples per second of the result.

    Raises:
        NotAvailableError: the file cannot be used; see :mod:`~ercframe_plugins.extractors.recording`.
    """
    with open_track(clip, "audio") as track:
        own_rate = track.stream.codec_context.sample_rate
        blocks = _cut(track, own_rate)
        yield from blocks if own_rate == rate else _resampled(blocks, own_rate, rate)


def pieces(blocks: Iterable[Samples], size: int) -> Iterator[Samples]:
    """Join blocks and cut them every ``size`` samples; the last piece has between half and one and a half of that.

    Sound of up to one and a half times ``size`` stays whole. Never more than that, and a block, is held in memory.
    """
    held: list[Samples] = []
    length = 0
    for block in blocks:
        held.append(block)
        length += len(block)
        while length >= size + math.ceil(size / 2):
            joined = np.concatenate(held)
            yield joined[:size]
            held, length = [joined[size:]], length - size
    if length:
        yield np.concatenate(held)


def _cut(track: Track, rate: int) -> Iterator[Samples]:
    """The clip's samples at the track's own rate, in one channel."""
    clip = track.clip
    ends = [t for t in (clip.end, track.ends) if t is not None]
    first, stop = round(clip.start * rate), round(min(ends) * rate) if ends else None
    to_float = require("av", "audio", "decoding sound").AudioResampler(format="fltp")
    for start, _, frame in track.frames():
        at = round(start * rate)
        for converted in to_float.resample(frame):
            samples = converted.to_ndarray().mean(axis=0)
            kept = samples[max(first - at, 0) : None if stop is None else max(stop - at, 0)]
            if len(kept):
                yield kept


def _resampled(blocks: Iterable[Samples], own_rate: int, rate: int) -> Iterator[Samples]:
    av: Any = require("av", "audio", "decoding sound")
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    for block in blocks:
        frame = av.AudioFrame.from_ndarray(block[None], format="flt", layout="mono")
        frame.sample_rate = own_rate
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray()[0]
    for resampled in resampler.resample(None):
        yield resampled.to_ndarray()[0]
