"""Components and recipes as people read them, at 80 columns."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ercframe.cli.docstring import filled, plain
from ercframe.components import KINDS
from ercframe.errors import InputError, nearest
from ercframe.recipes.example import example_yaml
from ercframe.recipes.fields import describe
from ercframe.recipes.files import installed_names, installed_summary
from ercframe.registry import Entry, Registry
from ercframe.wording import WIDTH


def print_list(console: Console, registry: Registry, kind: str | None) -> None:
    """One table for each kind.

    Raises:
        InputError: there is no such kind.
    """
    known = [*KINDS, "recipe"]
    if kind is not None and kind not in known:
        raise InputError(f"unknown kind '{kind}'{nearest(kind, known)}", help=f"Kinds: {', '.join(known)}")
    for shown in known if kind is None else [kind]:
        table = _table(shown, "what it is", "from", narrow=False)
        if shown == "recipe":
            for name in installed_names():
                table.add_row(Text(name), Text(installed_summary(name)), Text("ercframe"))
        for entry in registry.entries(shown) if shown in KINDS else ():
            origin = entry.origin.package or entry.origin.plugin
            table.add_row(Text(entry.component.name), Text(plain(entry.component.summary())), Text(origin))
        console.print(table)


def refuse_half_a_name(what: str, registry: Registry) -> None:
    """Say how to ask for a component, where somebody gave its kind or its name alone, or its kind misspelt.

    Raises:
        InputError: ``what`` is one of these, and no recipe.
    """
    if Path(what).exists() or what in installed_names():
        return
    kind, slash, _ = what.partition("/")
    if slash and kind != "recipes" and (hint := nearest(kind, KINDS)):
        raise InputError(f"unknown kind '{kind}'{hint}", help=f"Kinds: {', '.join(KINDS)}")
    if what in KINDS:
        raise InputError(f"must be KIND/NAME or a recipe (got '{what}'); `ercframe list {what}` has the names")
    named = [f"{entry.component.kind}/{what}" for entry in registry.entries() if entry.component.name == what]
    if named:
        raise InputError(f"must be KIND/NAME or a recipe (got '{what}'); did you mean '{named[0]}'?")


def print_failures(registry: Registry, verbose: bool) -> None:
    """Plugins that cannot be used, on standard error."""
    for failure in registry.failures:
        print(f"Plugin {failure.origin} cannot be used: {failure.cause}", file=sys.stderr)
        if verbose and failure.traceback:
            print(failure.traceback, file=sys.stderr)
    if not verbose and any(failure.traceback for failure in registry.failures):
        print("--verbose shows tracebacks.", file=sys.stderr)


def print_component(console: Console, entry: Entry) -> None:
    """A component's docstring, settings, origin and an example."""
    component = entry.component
    print(
        f"{component.kind} '{component.name}' from {entry.origin}\n\n{filled(inspect.getdoc(component) or '', WIDTH)}"
    )
    table = _table("setting", "accepts", "default", "meaning")
    for field in describe(component.Config):
        table.add_row(*(Text(text) for text in (field.name, field.accepts, field.default, field.meaning)))
    if table.row_count:
        console.print(table)
    else:
        print("\nIt has no settings.\n")
    if example := example_yaml(component, WIDTH):
        print(f"In a recipe:\n\n{example}", end="")


def _table(*columns: str, narrow: bool = True) -> Table:
    """A table whose last column gets what the others leave; these are kept ``narrow`` where there are many."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for i, column in enumerate(columns):
        free = not narrow or i in (0, len(columns) - 1)
        table.add_column(column, overflow="fold", no_wrap=i == 0, max_width=None if free else 46 // (i + 1))
    return table
