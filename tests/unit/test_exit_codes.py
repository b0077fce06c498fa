"""The exit code says what happened: 0 done, 1 a run failed, 2 bad input, 130 interrupted."""

import errno
import sys

import pytest

from ercframe.cli import app as frame
from ercframe.errors import InputError, Problem, RunError


@pytest.fixture
def command(monkeypatch):
    """Run a command line whose only sub-command does as it is told."""
    import typer

    def run(does):
        app = typer.Typer(pretty_exceptions_enable=False, result_callback=frame._exit)
        app.callback()(lambda: None)
        app.command("do")(does)
        monkeypatch.setattr(frame, "app", app)
        return frame.run_app(["do"])

    return run


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (130, 130)])
def test_what_a_command_returns_is_the_exit_code(command, returned, code):
    assert command(lambda: returned) == code


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            InputError("1 problem", [Problem("3:1", "a", "must be b")], help="Do c."),
            2,
            "1 problem\n  3:1  a  must be b\n\nDo c.\n",
        ),
        (RunError("the loss of seed 3 is not finite"), 1, "the loss of seed 3 is not finite\n"),
    ],
    ids=["bad input", "failed run"],
)
def test_an_error_is_told_in_full_and_without_a_traceback(command, capsys, error, code, text):
    def fail():
        raise error

    assert command(fail) == code
    assert capsys.readouterr().err == text


def test_ctrl_c(command, capsys):
    def interrupt():
        try:
            raise ValueError
        except ValueError:
            raise KeyboardInterrupt from None

    assert command(interrupt) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_full_disk_is_a_failure_in_words(command, capsys):
    def fill():
        raise OSError(errno.ENOSPC, "No space left on device")

    assert command(fill) == 1
    assert capsys.readouterr().err == "cannot write the output: No space left on device\n"


def test_a_closed_standard_error_keeps_the_exit_code(command, monkeypatch):
    def fail():
        raise InputError("1 problem")

    monkeypatch.setattr(sys, "stderr", None)
    assert command(fail) == 2


def test_a_programming_error_keeps_its_traceback(command):
    def bug():
        raise KeyError("x")

    with pytest.raises(KeyError):
        command(bug)


@pytest.mark.parametrize("arguments", [["nonsense"], ["--bogus"], []], ids=str)
def test_a_wrong_command_line_is_bad_input(arguments, capsys):
    assert frame.run_app(arguments) == 2


def test_the_version(capsys):
    assert frame.run_app(["--version"]) == 0
    assert capsys.readouterr().out == "ercframe 0.1.0\n"
