"""Asking a process of its own what happens when PyTorch and the plugins are imported, until it has survived it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

TIMEOUT = 60.0
"""Seconds that importing PyTorch, or one plugin, may take."""
# On the path that this process has: `python -m` would put the current folder on it, whatever lies there.
_START = """\
import json, runpy, sys
sys.path[:] = json.loads(sys.argv[2])["path"]
runpy.run_module("ercframe.doctor.probe", run_name="__main__", alter_sys=True)
"""
_PIECE, _PIECES = 2000, 2  # of what is printed, so much is kept
_LOOK = 0.2  # seconds between looks at how far it is


@dataclass
class Found:
    """What importing showed.

    Attributes:
        torch: PyTorch's build and devices, or its ``cause`` and ``traceback`` where it cannot be imported.
        plugins: for each, where it came from and its components, or ``cause`` and ``traceback``.
        contested: names that several plugins claim.
        trouble: what went wrong besides; may be empty.
    """

    torch: dict[str, Any] = field(default_factory=dict)
    plugins: list[dict[str, Any]] = field(default_factory=list)
    contested: list[str] = field(default_factory=list)
    trouble: str = ""


def probe(files: Sequence[Path] = (), timeout: float = TIMEOUT) -> Found:
    """Import everything elsewhere; what takes the process down is recorded, and the rest tried again without it."""
    dead: dict[str, str] = {}
    while True:
        answers, end = _run(files, list(dead), timeout)
        steps = [answer for answer in answers if "step" in answer]
        results = [answer for answer in answers if "step" not in answer]
        if any("done" in answer for answer in results) or not steps:
            return _gathered(results, dead, "" if steps else f"the examination did not begin: {end}")
        last = steps[-1]
        if last["step"] == "torch" or last["origin"] in dead:
            return _gathered([{"torch": {"cause": end, "traceback": ""}}, *results], dead, "")
        dead[last["origin"]] = end


def _gathered(results: list[dict[str, Any]], dead: dict[str, str], trouble: str) -> Found:
    found = Found(trouble=trouble)
    for result in results:
        found.torch = result.get("torch") or found.torch
        found.contested += result.get("contested", [])
        found.plugins += [result["plugin"]] if "plugin" in result else []
    found.plugins += [
        {"origin": origin, "name": origin, "package": "", "file": "", "components": [], "printed": ""}
        | {"cause": cause, "traceback": ""}
        for origin, cause in dead.items()
    ]
    return found


def _run(files: Sequence[Path], skip: list[str], timeout: float) -> tuple[list[dict[str, Any]], str]:
    """One process: its answers, and how it ended."""
    with tempfile.TemporaryDirectory(prefix="ercframe-doctor-") as folder:
        answers = Path(folder) / "answers.jsonl"
        asked = json.dumps({"path": sys.path, "files": [str(file) for file in files], "skip": skip})
        command = [sys.executable, "-P", "-c", _START, str(answers), asked]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        said: list[str] = []
        reader = threading.Thread(target=_drain, args=(process.stdout, said), daemon=True)
        reader.start()
        stuck = _wait(process, answers, timeout)
        reader.join(timeout=1)
        text = answers.read_text(encoding="utf-8") if answers.is_file() else ""
    return _parsed(text), _ending(process.returncode, stuck, timeout, "".join(said))


def _drain(stream: IO[str] | None, said: list[str]) -> None:
    """Take whatever is printed, so that nobody waits to print it; keep the beginning."""
    while stream is not None and (piece := stream.read(_PIECE)):
        if len(said) < _PIECES:
            said.append(piece)


def _wait(process: subprocess.Popen[str], answers: Path, timeout: float) -> bool:
    """Wait for the end; stop the process where one step takes too long, and say whether that was needed."""
    size, deadline = 0, time.monotonic() + timeout
    while process.poll() is None:
        now = answers.stat().st_size if answers.is_file() else 0
        if now > size:
            size, deadline = now, time.monotonic() + timeout
        elif time.monotonic() > deadline:
            process.kill()
            process.wait()
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK)
    return False


def _parsed(text: str) -> list[dict[str, Any]]:
    """The lines that are whole; the last may have been cut."""
    whole = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]


def _ending(code: int, stuck: bool, timeout: float, said: str) -> str:
    if stuck:
        return f"did not finish within {timeout:g} s"
    how = f"exit code {code}"
    if code < 0:
        how = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    last = said.strip().splitlines()[-1:] or [""]
    return f"ended the process ({how})" + (f": {last[0]}" if last[0] else "")
