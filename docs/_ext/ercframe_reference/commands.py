"""Every command of the command line, with its arguments and options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer.main

from ercframe.cli.app import app

from .rst import table, title


def pages() -> dict[str, str]:
    """One page with a section for each command."""
    parts = [title("Commands")]
    for path, command in walk(typer.main.get_command(app), "ercframe"):
        parts += [title(f"``{path}``", "-"), _described(command)]
    return {"commands.rst": "\n".join(parts)}


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """A command and everything below it, each with what one types."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, f"{path} {name}")


def _described(command: Any) -> str:
    rows = [_row(p) for p in command.params if p.name not in ("install_completion", "show_completion")]
    rows += [(f"``{name}``", _first_line(child.help)) for name, child in getattr(command, "commands", {}).items()]
    text = inspect.cleandoc(command.help or "") + "\n"
    return "\n".join([text, table(("Argument", "Meaning"), rows, widths=(35, 65)) if rows else ""])


def _row(parameter: Any) -> tuple[str, str]:
    shown = ", ".join(f"``{name}``" for name in parameter.opts)
    if parameter.param_type_name == "argument":
        shown = f"``{parameter.metavar or parameter.name.upper()}``"
    elif not parameter.is_flag and parameter.metavar:
        shown += f" ``{parameter.metavar}``"
    return shown, parameter.help or ""


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]
