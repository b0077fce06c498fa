"""A track of a recording, decoded with PyAV: its frames with their times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ercframe import NotAvailableError, UtteranceView, require

Kind = Literal["audio", "video"]
CALLED: dict[Kind, str] = {"audio": "sound", "video": "pictures"}

SLACK = 0.5
"""Seconds by which a stated time may exceed what a file holds: times are rounded, and tracks end a little apart."""
PREROLL = 1.0
"""Seconds decoded before the start of a part, since a codec's first frames after a jump lack what came before them."""
UNINDEXED = {"mp3", "aac"}
"""Formats without times: their length is an estimate, and so is every place that one jumps to."""


@dataclass(frozen=True)
class Clip:
    """What belongs to a turn: a whole file, or the part of it from ``start`` to ``end`` in seconds.

    Time 0 is where the file's first track starts.
    """

    path: Path
    start: float = 0.0
    end: float | None = None


def clip_of(turn: UtteranceView, kind: Kind) -> Clip:
    """A turn's clip: the whole of a file of its own, or its part of one that it shares with other turns."""
    path = turn.file(kind)
    assert path is not None, "what a turn needs is looked for before it is read"
    return Clip(path, turn.start or 0.0, turn.end) if path in turn.shared else Clip(path)


def unusable(reason: str) -> NotAvailableError:
    """A recording that should be there cannot be used."""
    return NotAvailableError(reason, broken=True)


class Timed(NamedTuple):
    """A decoded frame: when it starts and ends, in seconds of the file, and PyAV's object for it."""

    start: float
    end: float
    frame: Any


class Track:
    """The first track of a kind in an open file. Decoding uses one thread: what runs in parallel are files.

    Attributes:
        stream: PyAV's stream.
        ends: seconds at which the file says that the track ends; None where it does not say so.
    """

    def __init__(self, clip: Clip, kind: Kind, container: Any) -> None:
        self.clip, self.kind, self.container = clip, kind, container
        self.stream = _first_stream(kind, container)
        self.stream.codec_context.thread_count = 1
        self.zero = (container.start_time or 0) / 1_000_000  # microseconds, as FFmpeg counts for whole files
        self.indexed = container.format.name not in UNINDEXED
        self.ends = self._stated_end() if self.indexed else None

    def frames(self) -> Iterator[Timed]:
        """Decode from the clip's start, or somewhat before it, to its end.

        Raises:
            NotAvailableError: the track is damaged or cut short, holds nothing, or does not hold the clip.
        """
        if self.ends is not None:
            self._must_lie_inside(self.ends)
        reached = 0.0
        self._seek()
        for frame in self.container.decode(self.stream):
            start = reached if frame.time is None else frame.time - self.zero
            reached = start + self._duration(frame)
            if self.clip.end is not None and start >= self.clip.end:
                return
            yield Timed(start, reached, frame)
        self._check_end(reached)

    def _stated_end(self) -> float | None:
        if self.stream.duration is None:
            return None
        return float(((self.stream.start_time or 0) + self.stream.duration) * self.stream.time_base) - self.zero

    def _seek(self) -> None:
        target = self.clip.start - PREROLL
        if target > 0 and self.indexed:
            self.container.seek(int((target + self.zero) / self.stream.time_base), stream=self.stream)

    def _duration(self, frame: Any) -> float:
        if self.kind == "audio":
            return float(frame.samples / frame.sample_rate)
        if frame.duration:
            return float(frame.duration * frame.time_base)
        return float(1 / self.stream.average_rate) if self.stream.average_rate else 0.0

    def _check_end(self, reached: float) -> None:
        """After the last frame: was that the end of the track, and did it hold the clip?"""
        if self.ends is not None and reached < self.ends - SLACK:
            raise unusable(f"the {self.kind} track ends before its header says so: cut short")
        if reached == 0:
            raise unusable(f"the {self.kind} track is empty")
        self._must_lie_inside(reached)

    def _must_lie_inside(self, length: float) -> None:
        start, end = self.clip.start, self.clip.end
        if start >= length > 0 or (end is not None and end > length + SLACK > SLACK):
            raise unusable("start or end lies outside the recording")


@contextmanager
def open_track(clip: Clip, kind: Kind) -> Iterator[Track]:
    """Open a file for one of its tracks.

    Only local files are opened: a playlist that names an address is refused.

    Raises:
        NotAvailableError: there is no such file, it is no recording, it is damaged, or it has no such track; also where
            that turns out later, while the track is read.
        InputError: PyAV is not installed.
    """
    av = require("av", "audio" if kind == "audio" else "visual", f"decoding {CALLED[kind]}")
    if not clip.path.is_file():
        raise unusable("no such file")
    if not clip.path.stat().st_size:
        raise unusable("a file of 0 bytes")
    if clip.end is not None and clip.end <= clip.start:
        raise unusable("end is not after start")
    try:
        with av.open(os.path.abspath(clip.path), options={"protocol_whitelist": "file"}) as container:
            yield Track(clip, kind, container)
    except (av.FFmpegError, OSError) as error:
        raise unusable(f"cannot be decoded: {error.strerror}") from None


def _first_stream(kind: Kind, container: Any) -> Any:
    """The first track that is a recording: neither the cover of an album nor a text drawn as a terminal would."""
    for stream in container.streams:
        if stream.type == kind and "attached_pic" not in str(stream.disposition) and container.format.name != "tty":
            return stream
    raise NotAvailableError(f"no {kind} track")
