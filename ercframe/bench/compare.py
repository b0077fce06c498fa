"""Several subjects measured in turns, and what follows from it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch

import ercframe
from ercframe.bench.subject import PARTS
from ercframe.bench.worker import Task, started

FORMAT = 1
"""Version of the result's keys; raised when one changes its meaning or goes away."""


def compare(tasks: Mapping[str, Task], rounds: int, steps: int) -> dict[str, Any]:
    """Measure every task in every round, one after the other, so that a slow minute of the machine meets all.

    Args:
        tasks: by the name that the result uses; the yardstick, if any, first.
        rounds: how often each gets its turn.
        steps: training steps in a turn; every task gets the same batches.

    Returns:
        result: plain numbers, lists and text, for JSON. Seconds, bytes, FLOP/s.
    """
    with ExitStack() as stack:
        workers = {name: stack.enter_context(started(task)) for name, task in tasks.items()}
        turns: dict[str, list[dict[str, Any]]] = {name: [] for name in tasks}
        load = [_load()]
        for _ in range(rounds):
            for name, worker in workers.items():
                turns[name].append(worker.ask(steps))
            load.append(_load())
        facts = {name: worker.ask(0) for name, worker in workers.items()}
    subjects = {name: _summary(turns[name], facts[name]) for name in tasks}
    yardsticks = [name for name, task in tasks.items() if task.yardstick]
    ratios = {name: _ratios(turns[y], turns[name]) for y in yardsticks for name in tasks if name != y}
    return {
        "format": FORMAT,
        "machine": machine(),
        "rounds": rounds,
        "steps": steps,
        "load_average": load,
        "subjects": subjects,
        "ratios": ratios,
    }


def machine() -> dict[str, Any]:
    """What a measurement was made on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": _processor(),
        "gpu": gpu,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "ercframe": ercframe.__version__,
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "cpu")


def _load() -> float | None:
    """How many processes wanted a core over the last minute; where the system tells."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _summary(turns: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> dict[str, Any]:
    every = [step for turn in turns for step in turn["steps"]]
    speeds = [_utterances(turn) / _seconds(turn, PARTS) for turn in turns]
    flops = facts["flops_per_utterance"] * median(speeds)
    bound = max(turn["matmul_flops"] for turn in turns)
    return {
        "precision": facts["precision"],
        "utterances_per_second": _spread(speeds),
        "step_seconds": {part: median(step[part] for step in every) for part in PARTS},
        "step_processor_seconds": median(step["processor"] for step in every),
        "step_operations": facts["operations"],
        "step_utterances": median(step["utterances"] for step in every),
        "peak_bytes": facts["peak_bytes"],
        "flops_per_utterance": facts["flops_per_utterance"],
        "flops_per_second": flops,
        "matmul_flops_per_second": bound,
        "share_of_matmul": flops / bound,
    }


def _ratios(slow: Sequence[Mapping[str, Any]], fast: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many times as long the yardstick takes, round by round, over the same batches."""
    pairs = list(zip(slow, fast, strict=True))
    parts = {"all": PARTS, "without_optimizer": tuple(part for part in PARTS if part != "optimizer")}
    parts["processor"] = ("processor",)
    return {name: _spread([_seconds(s, of) / _seconds(f, of) for s, f in pairs]) for name, of in parts.items()}


def _utterances(turn: Mapping[str, Any]) -> int:
    return sum(step["utterances"] for step in turn["steps"])


def _seconds(turn: Mapping[str, Any], parts: Sequence[str]) -> float:
    return float(sum(step[part] for step in turn["steps"] for part in parts))


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "least": min(values), "most": max(values)}
