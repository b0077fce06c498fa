"""A diagnosis as a bug report in Markdown, without the name of the user or of their folders."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ercframe.doctor.diagnosis import Diagnosis
from ercframe.doctor.text import plugins_in_words, torch_in_words

_HOMES = re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\Users\\)[^/\\\s'\":;,]+")
_SHORTEST_NAME = 3  # a name of one or two letters stands in too many words


def markdown(diagnosis: Diagnosis) -> str:
    """A report to paste: what the author fills in, versions, plugins, problems with their tracebacks."""
    return anonymous("\n".join(_lines(diagnosis)) + "\n")


def anonymous(text: str) -> str:
    """The text with the environment, the home folder, the current folder and the user's name shortened."""
    places = {str(Path.cwd()): "<here>", sys.prefix: "<environment>", str(Path.home()): "~"}
    resolved = {str(Path(place).resolve()): short for place, short in places.items()}
    for place, short in sorted((places | resolved).items(), key=lambda item: -len(item[0])):
        if len(place) > 1:  # not the root of the file system
            text = re.sub(re.escape(place) + r"(?=$|[/\\\s'\":;,)])", short, text)
    text = _HOMES.sub("~", text)
    for name in _user_names():
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "<user>", text)
    return text


def _user_names() -> set[str]:
    names = {os.environ.get(key, "") for key in ("USER", "LOGNAME", "USERNAME")}
    with suppress(OSError, KeyError, ImportError):  # the system may know no such user
        names.add(getpass.getuser())
    return {name for name in names if len(name) >= _SHORTEST_NAME}


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    program = diagnosis.program
    yield "### What happened\n\n(what you did, what you expected, what you saw)\n"
    yield "### Where\n"
    yield f"- ercframe {program['ercframe']}, Python {program['python']}, {program['system']}"
    yield f"- PyTorch {torch_in_words(diagnosis.found.torch)}"
    yield f"- plugins: {plugins_in_words(diagnosis.found.plugins)}"
    there = [f"{package.name} {package.installed}" for package in diagnosis.packages if package.installed]
    yield f"- packages: {', '.join(dict.fromkeys(there))}"
    for name, value in diagnosis.settings.items():
        yield f"- `{name}={value}`"
    yield "\n### What `ercframe doctor` found\n"
    for ailment in diagnosis.ailments:
        yield f"- {ailment.level}: {ailment.message}"
    for plugin in [diagnosis.found.torch, *diagnosis.found.plugins]:
        if plugin.get("traceback"):
            yield f"\n{plugin.get('origin', 'PyTorch')}:\n\n```text\n{plugin['traceback'].strip()}\n```"
    if not diagnosis.ailments:
        yield "Nothing."
