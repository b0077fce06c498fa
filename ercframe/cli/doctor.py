"""Command: doctor."""

from typing import Annotated

import typer

from ercframe.cli.options import PluginFiles


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("doctor")(doctor)


def doctor(
    plugin: PluginFiles = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Print a bug report in Markdown, without your name and folders.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="How long importing PyTorch, or one plugin, may take.")
    ] = 60.0,
) -> int:
    """Look at the installation: versions, plugins, devices, extras; say what is wrong and what to do about it.

    Exits with 1 if something is broken, otherwise with 0.
    """
    from json import dumps

    from ercframe.doctor import examine, lines, markdown
    from ercframe.errors import InputError

    if json and report:
        raise InputError("--json and --report must not be given together")
    missing = [str(file) for file in plugin or [] if not file.is_file()]
    if missing:
        raise InputError(f"plugin file not found: {', '.join(missing)}")
    diagnosis = examine([file.resolve() for file in plugin or []], timeout)
    if json:
        text = dumps(diagnosis.as_json(), indent=2)
    else:
        text = markdown(diagnosis) if report else "\n".join(lines(diagnosis))
    typer.echo(_printable(text))
    return 0 if diagnosis.healthy else 1


def _printable(text: str) -> str:
    """What standard output takes: a doctor who complains of its encoding must not die of it."""
    import sys

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
