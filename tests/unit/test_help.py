"""What ``--help`` shows of every command."""

import pytest
import typer.main

from ercframe.cli.app import app


def commands(found, name="ercframe"):
    yield name, found
    for child, below in getattr(found, "commands", {}).items():
        yield from commands(below, f"{name} {child}")


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_lines_end_where_the_terminal_does_not_where_the_source_does(name):
    assert all("\n" not in paragraph for paragraph in COMMANDS[name].help.split("\n\n"))


@pytest.mark.parametrize("name", COMMANDS)
def test_what_options_take_is_named_in_words(name, command):
    code, shown, _ = command(*name.split()[1:], "--help")
    assert code == 0
    assert "--help" in shown
    assert " range>" not in shown
