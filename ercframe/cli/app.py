"""The command's frame: the sub-commands, the exit codes, and how errors are shown.

Nothing here, nor at the top of a command's module, imports PyTorch: ``ercframe --help`` has to be quick.
"""

import errno
import os
import sys
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from ercframe import __version__
from ercframe.cli import (
    bench,
    check,
    compare,
    components,
    data,
    doctor,
    eval,
    export,
    new,
    predict,
    report,
    run,
    score,
    sweep,
    table,
)
from ercframe.errors import InputError, RunError
from ercframe.ranks import PeerLostError
from ercframe.signals import INTERRUPTED, PREEMPTED, Terminated
from ercframe.wording import harmless

PATIENCE = 10
"""Seconds that a process waits for its launcher, on a busy machine, to end it after another one was lost."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def _exit(code: int | None, **_: object) -> None:
    """Make what a command returned the exit code."""
    raise typer.Exit(code or 0)


app = typer.Typer(
    name="ercframe",
    help="Multimodal emotion recognition in conversations, composed of plugins.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    result_callback=_exit,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _one_line_each(text: str) -> str:
    """A docstring whose paragraphs are not broken into lines."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ercframe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Multimodal emotion recognition in conversations, composed of plugins."""


for module in (run, sweep, eval, report, score, compare, table, predict, export):
    module.register(app)
for module in (check, bench, components, data, new, doctor):
    module.register(app)
for command in (*app.registered_commands, *data.commands.registered_commands):
    command.help = _one_line_each(command.callback.__doc__ or "")  # typer would break lines where the source does


def main() -> None:
    """Run the command line; exit 0 when done, 1 when a run failed, 2 for bad input, 75 after SIGTERM, 130 on Ctrl-C."""
    _let_threads_wait_well()
    sys.exit(run_app(sys.argv[1:]))


def _let_threads_wait_well() -> None:
    """Say how the threads of one operation wait for each other, unless the environment does already.

    By default they wait in busy loops, so that where something else wants a core an epoch of two threads took five
    times as long. Falling asleep instead costs as much as many a small operation: where the cores are free, a step of
    SDT in bf16 took an eighth to a third longer than with loops that are short. Both are read when PyTorch is
    imported, which is yet to come.
    """
    if {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        return
    load, cores = (os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0), os.cpu_count() or 1
    name, value = ("GOMP_SPINCOUNT", "3000") if load < cores / 2 else ("OMP_WAIT_POLICY", "PASSIVE")
    os.environ[name] = value


def run_app(arguments: list[str]) -> int:
    """Run the command line on these arguments and return the exit code."""
    try:
        app(
            arguments, obj=arguments
        )  # ends in SystemExit; what is wrong with the arguments themselves is shown by typer
    except SystemExit as stop:
        if any(isinstance(cause, KeyboardInterrupt) for cause in _causes(stop)):  # typer keeps quiet about it
            return _complain("Interrupted.", INTERRUPTED)
        return int(stop.code or 0)
    except Terminated:
        return _complain("Stopped by SIGTERM.", PREEMPTED)
    except InputError as error:
        return _complain(str(error), 2)
    except PeerLostError as error:
        # The process that was lost has the reason. A launcher that sees it end ends this one, too: until then this one
        # stays, lest its own end be taken for the reason.
        time.sleep(PATIENCE)
        return _complain(str(error), 1)
    except RunError as error:
        return _complain(str(error), 1)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        return _complain(f"cannot write the output: {error.strerror}", 1)
    return 0


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _complain(text: str, code: int) -> int:
    """Print an error as plain text, never wrapped or coloured into something that cannot be copied."""
    if sys.stderr is not None:  # None where the caller closed it; the exit code still tells
        sys.stderr.write(harmless(text.rstrip()) + "\n")
    return code
