"""Memory that tensors on a CPU leave behind."""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's settings (``malloc.h``)."""

_LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""The most that glibc takes on a 64-bit machine, in bytes."""


def keep_freed_memory() -> None:
    """Let the process keep what its tensors free, for the tensors of the next step.

    glibc hands large blocks back to the kernel, which clears every page of the next one first.
    Does nothing where the C library has no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
