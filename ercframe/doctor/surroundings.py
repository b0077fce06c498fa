"""What around ercframe matters to it: settings of the environment, places to write to, the terminal."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ercframe.doctor.problems import Ailment

PREFIXES = ("OMP_", "KMP_", "MKL_", "CUDA_", "NVIDIA_", "PYTORCH_", "TORCH", "ERCFRAME_", "PYTHON", "VIRTUAL_ENV")
ENOUGH_BYTES = 1_000_000_000


def settings() -> dict[str, str]:
    """Environment variables that change how ercframe or PyTorch work."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(PREFIXES)}


def places() -> dict[str, dict[str, Any]]:
    """Where ercframe writes: whether it can, and how much room there is."""
    return {"current folder": _place(Path.cwd()), "temporary folder": _place(_temporary())}


def terminal() -> dict[str, Any]:
    """What standard output takes."""
    encoding = getattr(sys.stdout, "encoding", None) or ""
    return {"encoding": encoding, "colours": bool(sys.stdout and sys.stdout.isatty())}


def ailments(found_places: Mapping[str, Mapping[str, Any]], encoding: str) -> Iterator[Ailment]:
    """Places that cannot be written to, disks that are full, an encoding that has no dashes."""
    for name, place in found_places.items():
        if not place["writable"]:
            todo = "set TMPDIR to a folder of yours" if name.startswith("temp") else "work in a folder of yours"
            yield Ailment("error", f"the {name} {place['path']} cannot be written to", todo)
        elif place["free_bytes"] < ENOUGH_BYTES:
            room = f"{place['free_bytes'] / 1e9:.1f} GB"
            yield Ailment("warning", f"the {name} {place['path']} has {room} left", "make room before a long run")
    if encoding and not encoding.lower().replace("-", "").startswith("utf8"):
        yield Ailment(
            "warning", f"standard output takes {encoding}, which lacks signs that tables use", "set PYTHONUTF8=1"
        )


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except OSError:  # no place at all can be written to
        return Path(os.environ.get("TMPDIR", "/tmp"))


def _place(path: Path) -> dict[str, Any]:
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
        return {"path": str(path), "writable": True, "free_bytes": shutil.disk_usage(path).free}
    except OSError:
        return {"path": str(path), "writable": False, "free_bytes": 0}
