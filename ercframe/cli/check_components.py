"""Checking components against the contract, and showing what came out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from ercframe import __version__
from ercframe.cli.docstring import plain
from ercframe.components import Component
from ercframe.errors import InputError
from ercframe.files import write_json, write_text
from ercframe.testing.badge import badge
from ercframe.testing.catalogue import CONTRACT_VERSION, explained
from ercframe.testing.report import Examined, Result, as_json, counts, examine
from ercframe.wording import WIDTH


def check_components(
    target: str,
    components: Sequence[type[Component]],
    *,
    settings: Mapping[str, Any] | None,
    exceptions: Mapping[str, str],
    modalities: Sequence[str],
    slow: bool,
    to_json: Path | None,
    to_badge: Path | None,
) -> int:
    """Run the checks, print what they found, and write it where asked to; 1 where one failed.

    Raises:
        InputError: a component declares exceptions that are none.
    """
    examined: list[Examined] = []
    console = Console(stderr=True)
    with console.status("") as status:
        for component in components:
            try:
                examined += examine(
                    component,
                    settings=settings,
                    exceptions=exceptions,
                    modalities=modalities,
                    slow=slow,
                    on_check=lambda case: status.update(case) if console.is_terminal else None,
                )
            except ValueError as error:
                raise InputError(f"{component.kind} '{component.name}', known_exceptions: {error}") from error
    for line in told(examined):
        typer.echo(line)
    found = counts(examined)
    if to_json is not None:
        write_json(to_json, as_json(examined, target, __version__))
    if to_badge is not None:
        write_text(to_badge, badge(found["passed"], found["failed"]))
    return 1 if found["failed"] else 0


def told(examined: Sequence[Examined]) -> Iterator[str]:
    """What was found, line by line: each failure once in full, the rest counted, what was left out with its reason."""
    for one in examined:
        own = counts([one])
        yield from _line(f"{one.title}: {_summed(own)}")
        yield from _failures([result for result in one.results if result.outcome.status == "failed"])
        for status in ("known", "skipped"):
            for result in (result for result in one.results if result.outcome.status == status):
                yield from _left_out(result)
        if one.refusals:
            yield f"  not tried in {len(one.refusals)} of {one.scenes} scenes, which it refuses:"
            for scene, words in one.refusals.items():
                yield from _line(f"    {scene}: {words}")
    found = counts(examined)
    run = sum(found.values()) - found["skipped"]
    yield f"contract {CONTRACT_VERSION}: {run} checks run, {_summed(found)}"


def _summed(found: Mapping[Any, int]) -> str:
    words = {"known": "known exceptions"}
    kept = [f"{n} {words.get(status, status)}" for status, n in found.items() if n or status in ("passed", "failed")]
    return ", ".join(kept)


def _left_out(result: Result) -> Iterator[str]:
    return _line(f"  {result.outcome.status:8}{result.case.check.__name__}: {result.outcome.message}", 10)


def _line(text: str, indent: int = 6) -> Iterator[str]:
    """Told in as many lines as it needs; names of settings and files stay whole."""
    yield from textwrap.wrap(
        text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False, break_long_words=False
    )


def _failures(failed: Sequence[Result]) -> Iterator[str]:
    """What was got is told once, however many checks got it: a misspelt attribute fails nearly all of them."""
    by_message: dict[str, list[Result]] = {}
    for result in failed:
        by_message.setdefault(result.outcome.message, []).append(result)
    for first, *others in by_message.values():
        yield from _failure(first, [other.case.check.__name__ for other in others])


def _failure(result: Result, alike: Sequence[str]) -> Iterator[str]:
    asks, why = explained(result.case.check)
    outcome = result.outcome
    yield ""
    yield f"  FAILED  {result.case.check.__name__}" + (f", in the scene '{outcome.scene}'" if outcome.scene else "")
    yield from _block("got", outcome.message)
    yield from _block("must", plain(asks))
    yield from _block("why", plain(why))
    if outcome.smallest is not None:
        yield from _block("shown by", outcome.smallest.words())
        yield f"          {'':9}{outcome.smallest.python()}"
    if alike:
        yield from _block("also", f"the same fails {len(alike)} more: {', '.join(alike)}")
    yield ""


def _block(name: str, text: str) -> Iterator[str]:
    """A paragraph with its name in front; lines that the text has itself stay."""
    lines = [part for line in text.splitlines() if line for part in textwrap.wrap(line, WIDTH - 19)] or [""]
    yield f"          {name:9}{lines[0]}"
    yield from (f"          {'':9}{line}" for line in lines[1:])
