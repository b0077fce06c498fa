"""A diagnosis as people read it: plain lines, in ASCII but for what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from textwrap import indent
from typing import Any

from ercframe.doctor import versions
from ercframe.doctor.diagnosis import Diagnosis
from ercframe.wording import GLUE, counted, hanging

_LABEL = 18  # columns


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """What there is, then what is wrong and what to do about it."""
    program = diagnosis.program
    rows = [
        ("ercframe", f"{program['ercframe']} in {program['installed in']}"),
        ("Python", f"{program['python']}, {program['interpreter']}"),
        ("System", program["system"]),
        ("PyTorch", torch_in_words(diagnosis.found.torch)),
        ("Plugins", plugins_in_words(diagnosis.found.plugins)),
        *_packages(diagnosis),
        *_extras(diagnosis),
        *_places(diagnosis),
        ("Output", diagnosis.terminal["encoding"] or "closed"),
        *(("Environment" if i == 0 else "", f"{k}={v}") for i, (k, v) in enumerate(diagnosis.settings.items())),
    ]
    for label, text in rows:
        yield from hanging(f"{label:<{_LABEL}}", text)
    yield ""
    yield from _problems(diagnosis)


def torch_in_words(torch: dict[str, Any]) -> str:
    """PyTorch's build and what it computes on."""
    if "version" not in torch:
        return "cannot be imported"
    gpus = [f"{gpu['name']} ({gpu['bytes'] / 1e9:.0f} GB, capability {gpu['capability']})" for gpu in torch["cuda"]]
    cuda = f"CUDA {torch['cuda_build']}: {', '.join(gpus) or 'no device'}" if torch["cuda_build"] else "no CUDA"
    cpu = f"CPU {torch['cpu']}{', bfloat16' if torch['cpu_bf16'] else ''}, {counted(torch['threads'], 'thread')}"
    mps = "; MPS" if torch["mps"] else ""
    return f"{torch['version']}; {cuda}{mps}; {cpu} on {counted(torch['cores'], 'core')}"


def plugins_in_words(plugins: list[dict[str, Any]]) -> str:
    """How many plugins loaded from where."""
    loaded = Counter(plugin["package"] or plugin["name"] for plugin in plugins if "cause" not in plugin)
    failed = sum("cause" in plugin for plugin in plugins)
    words = [f"{count} from {origin}" for origin, count in loaded.items()]
    return ", ".join([*words, *([f"{failed} failed"] if failed else [])]) or "none"


def _packages(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    """The versions of what is always required."""
    required = [package for package in diagnosis.packages if not package.extra]
    yield "Packages", ", ".join(f"{package.name}{GLUE}{package.installed or 'missing'}" for package in required)


def _extras(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    lacking = versions.extras(diagnosis.packages)
    yield "Extras", f"installed: {', '.join(extra for extra, missing in lacking.items() if not missing) or 'none'}"
    for extra, missing in lacking.items():
        if missing:
            yield "", f"{extra} lacks {', '.join(missing)}:"
            yield "", f"  pip install -c constraints.txt 'ercframe[{extra}]'"


def _places(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    for name, place in diagnosis.places.items():
        room = f"{place['free_bytes'] / 1e9:.0f} GB free" if place["writable"] else "cannot be written to"
        yield name.capitalize(), f"{place['path']}, {room}"


def _problems(diagnosis: Diagnosis) -> Iterator[str]:
    for ailment in diagnosis.ailments:
        yield f"{ailment.level:<9} {ailment.message}"
        if ailment.details:
            yield indent(ailment.details, " " * 12)
        yield f"          to do: {ailment.todo}"
    counts = Counter(ailment.level for ailment in diagnosis.ailments)
    yield "Nothing is broken." if diagnosis.healthy else f"Broken: {counts['error']}."
