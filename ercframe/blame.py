"""Saying whose code an exception came from, in a line that its author can act on."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

_NOT_TO_BLAME = tuple(str(Path(file).parent) for file in (torch.__file__, __file__))


def calling_place() -> str:
    """Where the code that is running was called from: ``"my_fusion.py:27, in forward"``; empty if only from here."""
    frames = [f for f in traceback.extract_stack() if not f.filename.startswith(_NOT_TO_BLAME)]
    inner = [f for f in frames if f.name == "forward"] or frames
    return f"{inner[-1].filename}:{inner[-1].lineno}, in {inner[-1].name}" if inner else ""


def blame(error: BaseException) -> str:
    """The error and the last place it passed, such as ``"KeyError: 'text' (my_fusion.py:27, in forward)"``.

    Frames of PyTorch and of the framework are left out: they say where a fault was noticed, not where it is.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_NOT_TO_BLAME)]
    told = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"{told} ({frames[-1].filename}:{frames[-1].lineno}, in {frames[-1].name})" if frames else told
