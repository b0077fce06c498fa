"""Recordings made for tests: tones, speech, videos, and damaged ones."""

import shutil
import subprocess
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Shape letters: S samples, K channels, H height, W width.


def tone(seconds: float, rate: int = 16_000, hertz: float = 200.0) -> np.ndarray:
    """A sine of a tenth of full scale, ``(S,)`` float32."""
    time_S = np.arange(round(seconds * rate)) / rate
    return (0.1 * np.sin(2 * np.pi * hertz * time_S)).astype("float32")


def write_wav(path: Path, samples: np.ndarray, rate: int = 16_000) -> Path:
    """Write ``(S,)`` or ``(S, K)`` in 16 bits."""
    samples_SK = np.atleast_2d(samples.T).T
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples_SK.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples_SK * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> np.ndarray:
    """Read one channel of 16 bits, ``(S,)`` float32 of full scale 1."""
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype("float32") / 32_768


def speak(path: Path, text: str, *options: str) -> Path:
    """Let espeak-ng say something (22,050 Hz, one channel); skip the test where it is not installed."""
    if not shutil.which("espeak-ng"):
        pytest.skip("no espeak-ng: apt-get install espeak-ng")
    subprocess.run(["espeak-ng", *options, "-w", str(path), text], check=True)
    return path


def grey(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A picture of one colour, ``(H, W, 3)`` uint8."""
    return np.full((height, width, 3), level, "uint8")


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    fps: int = 10,
    sound: np.ndarray | None = None,
    *,
    times: Sequence[int] | None = None,
    codec: str = "h264",
    turned: int = 0,
    **container: str,
) -> Path:
    """Mux pictures, and sound of 16 kHz, with PyAV.

    Args:
        path: file to write; its suffix chooses the container.
        pictures: ``(H, W, 3)`` uint8 each.
        fps: pictures per second, and the unit of ``times``.
        sound: ``(S,)`` float32; None writes no audio track.
        times: when each picture is shown, in ``1 / fps``; None: one after the other.
        codec: of the pictures.
        turned: degrees by which a player has to turn them, counterclockwise.
        container: options of the container.
    """
    av = pytest.importorskip("av")
    with av.open(str(path), "w", options=container) as file:
        video = file.add_stream(codec, rate=fps)
        video.height, video.width, video.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        if turned:
            video.set_display_rotation(turned)
        audio = file.add_stream("aac", rate=16_000, layout="mono") if sound is not None else None
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = times[i] if times else i, Fraction(1, fps)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if audio:
            file.mux(audio.encode(_audio_frame(av, sound)))
            file.mux(audio.encode(None))
    return path


def cut_short(path: Path, share: float) -> Path:
    """Keep only the first part of a file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def _audio_frame(av: Any, sound: np.ndarray | None) -> Any:
    assert sound is not None
    frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts = 16_000, 0
    return frame
