"""Saying whose code an exception came from, in a line that its author can act on."""

from __future__ import annotations

import traceback


def blame(error: Exception) -> str:
    """The error and the last place it passed, such as ``"KeyError: 'text' (my_fusion.py:27, in forward)"``.

    Frames of PyTorch are left out: they say where it was noticed, not what was wrong.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    told = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"{told} ({frames[-1].filename}:{frames[-1].lineno}, in {frames[-1].name})" if frames else told
