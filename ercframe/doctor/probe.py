"""What a process of its own finds out by importing PyTorch and every plugin: it may die of it.

Run with the arguments ANSWERS and JSON, it writes a line of JSON before each step and one with its result, so that
the step in which it died is known. ``ercframe.doctor.probing`` starts it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

KEPT = 500
"""Characters that are kept of what a plugin prints while it is imported."""


class FirstCharacters(io.TextIOBase):
    """Keeps the beginning of what is written to it, however much that is."""

    def __init__(self) -> None:
        self.kept = ""

    def writable(self) -> bool:
        """Anybody may write."""
        return True

    def write(self, text: str) -> int:
        """Take some text."""
        self.kept += text[: KEPT - len(self.kept)]
        return len(text)


def main(answers: Path, files: list[str], skip: list[str]) -> None:
    """Take every step that is not to be skipped and write down what came of it."""
    with answers.open("w", encoding="utf-8") as file:
        _tell(file, step="torch")
        torch = _torch()
        _tell(file, torch=torch)
        if "cause" not in torch:
            for answer in _plugins(file, files, skip):
                _tell(file, **answer)
        _tell(file, done=True)


def _tell(file: TextIO, **answer: Any) -> None:
    file.write(json.dumps(answer) + "\n")
    file.flush()


def _failure(error: BaseException) -> dict[str, str]:
    return {"cause": f"{type(error).__name__}: {error}".strip(), "traceback": traceback.format_exc()}


def _torch() -> dict[str, Any]:
    try:
        import torch

        return _devices(torch)
    except BaseException as error:  # a broken library may do anything
        return _failure(error)


def _devices(torch: Any) -> dict[str, Any]:
    """PyTorch's build, and what it can compute on."""
    cuda = [
        {
            "name": torch.cuda.get_device_name(i),
            "capability": ".".join(map(str, torch.cuda.get_device_capability(i))),
            "bytes": torch.cuda.get_device_properties(i).total_memory,
        }
        for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    ]
    flags = _cpu_flags()
    return {
        "version": torch.__version__,
        "cuda_build": torch.version.cuda or "",
        "cuda": cuda,
        "mps": bool(torch.backends.mps.is_available()),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cpu_bf16": bool({"avx512_bf16", "amx_bf16", "bf16"} & flags),
        "threads": torch.get_num_threads(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def _cpu_flags() -> set[str]:
    """What the processor can do, where the system says so in a file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    lines = [line.partition(":") for line in text.splitlines()]
    return {flag for key, _, value in lines if key.strip() in ("flags", "Features") for flag in value.split()}


def _plugins(file: TextIO, files: list[str], skip: list[str]) -> Iterator[dict[str, Any]]:
    """Load one plugin after the other; at the end, what is wrong with all of them together."""
    from ercframe import plugins
    from ercframe.registry import Registry

    entries: list[Any] = []
    for source in plugins.sources([Path(name) for name in files]):
        origin = source[0]
        if str(origin) in skip:
            continue
        _tell(file, step="plugin", origin=str(origin))
        printed = FirstCharacters()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                registry = plugins.from_plugins([source])
            failures = [{"cause": f.cause, "traceback": f.traceback} for f in registry.failures]
        except BaseException as error:  # KeyboardInterrupt, too: nobody pressed Ctrl-C here
            registry, failures = Registry(), [_failure(error)]
        entries += registry.entries()
        yield {
            "plugin": {
                "origin": str(origin),
                "name": origin.plugin,
                "package": origin.package,
                "file": str(origin.file or ""),
                "components": [f"{e.component.kind}/{e.component.name}" for e in registry.entries()],
                "printed": printed.kept,
                **(failures[0] if failures else {}),
            }
        }
    yield {"contested": [failure.cause for failure in Registry(entries).failures]}


if __name__ == "__main__":
    asked = json.loads(sys.argv[2])
    main(Path(sys.argv[1]), asked["files"], asked["skip"])
