"""Saying whose code an exception came from, in a line that its author can act on."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

_NOT_TO_BLAME = tuple(str(Path(file).parent) for file in (torch.__file__, __file__))


def blame(error: Exception) -> str:
    """The error and the last place it passed, such as ``"KeyError: 'text' (my_fusion.py:27, in forward)"``.

    Frames of PyTorch and of the framework are left out: they say where a fault was noticed, not where it is.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_NOT_TO_BLAME)]
    told = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"{told} ({frames[-1].filename}:{frames[-1].lineno}, in {frames[-1].name})" if frames else told
