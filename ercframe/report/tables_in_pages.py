"""Pages whose tables come from results files: what stands between two markers is written by a command, never by hand.

``PAGE.md`` holds ``<!-- table NAME -->`` and ``<!-- end of table NAME -->``; ``results/NAME.json`` beside it holds the
comparison.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ercframe.errors import InputError, nearest
from ercframe.files import write_text
from ercframe.report.comparison_files import as_json
from ercframe.report.comparison_text import markdown
from ercframe.wording import counted

_TABLE = re.compile(r"(<!-- table (?P<name>\S+) -->\n)(?P<body>.*?)(<!-- end of table (?P=name) -->)", re.DOTALL)


def results_file(page: Path, name: str) -> Path:
    """Where the results of a page's table are."""
    return page.parent / "results" / f"{name}.json"


def put(page: Path, name: str, found: Mapping[str, Any]) -> None:
    """Keep a comparison beside a page, and write its tables between the page's markers.

    Args:
        page: a Markdown file.
        name: of the markers.
        found: what :func:`ercframe.comparison.compare` returns; its runs may have a ``command``. Or what
            ``crossval.json`` holds.

    Raises:
        InputError: the page cannot be read, or has no such markers.
    """
    text = _read(page)
    names = [match["name"] for match in _TABLE.finditer(text)]
    if names.count(name) != 1:
        have = f"it has {', '.join(names)}{nearest(name, names)}" if names else "it has no markers"
        raise InputError(
            f"{page} must have the lines '<!-- table {name} -->' and '<!-- end of table {name} -->' once ({have})"
        )
    write_text(results_file(page, name), as_json(found))
    write_text(page, _TABLE.sub(lambda match: _written(match, found) if match["name"] == name else match[0], text))


def renewed(page: Path) -> str:
    """The page with all of its tables written anew from their results files.

    Raises:
        InputError: the page, or a results file, cannot be read.
    """
    return _TABLE.sub(lambda match: _written(match, _results(results_file(page, match["name"]))), _read(page))


def tables(found: Mapping[str, Any]) -> str:
    """The tables of a comparison, what the numbers are, and the commands that made the runs."""
    return f"{markdown(found)}\n{_commands(found)}"


def _written(match: re.Match[str], found: Mapping[str, Any]) -> str:
    return f"{match[1]}\n{tables(found)}\n{match[4]}"


def _commands(found: Mapping[str, Any]) -> str:
    """The commands as a block, and when and by what they were run."""
    runs = found["runs"]
    if "command" in found:  # one for all its runs
        lines = [f"$ {found['command']}"]
    else:
        lines = [f"$ {run['command']}" if run.get("command") else f"# {run['name']}: {_NO_COMMAND}" for run in runs]
    dates = sorted({str(run["made"]["started"])[:10] for run in runs})
    surroundings = sorted({_surroundings(run["made"]) for run in runs})
    block = "\n".join(["```console", *lines, "```"])
    return f"{block}\n\nRun on {' and '.join(dates)}: {'; '.join(surroundings)}.\n"


_NO_COMMAND = "its recipe is not one of those installed"


def _surroundings(made: Mapping[str, Any]) -> str:
    return f"ercframe {made['ercframe']}, PyTorch {made['torch']}, {made['device']}, {_threads(made['threads'])}"


def _threads(number: int) -> str:
    return counted(number, "thread")


def _results(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return found


def _read(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{page} cannot be read: {error.strerror}") from None
