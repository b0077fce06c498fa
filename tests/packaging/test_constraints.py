"""Installing with constraints.txt decides every version."""

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINS = dict(line.split("==") for line in LINES if line and not line.startswith("#"))


def needed(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """What a distribution requires here: names and their extras. One that is not installed is not followed."""
    try:
        requirements = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in extras | {""}):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def closure() -> set[str]:
    """Everything that ercframe with all extras pulls in."""
    extras = frozenset(importlib.metadata.metadata("ercframe").get_all("Provides-Extra") or ())
    todo, done = [("ercframe", extras)], set()
    while todo:
        item = todo.pop()
        if item not in done:
            done.add(item)
            todo += needed(*item)
    return {name for name, _ in done} - {"ercframe"}


def test_everything_that_is_installed_is_pinned():
    pinned = {canonicalize_name(name) for name in PINS}
    # CUDA libraries are pinned by torch itself, to exactly one version each.
    assert {name for name in closure() if not name.startswith(("nvidia-", "cuda-", "triton"))} <= pinned


def test_nothing_else_is_pinned():
    names = {canonicalize_name(name) for name in PINS}
    development_tools_are_installed = {"mypy", "ruff", "import-linter"} <= {
        canonicalize_name(d.name) for d in importlib.metadata.distributions()
    }
    if development_tools_are_installed:
        assert names - closure() == set()


def test_pins_are_exact_sorted_and_leave_the_build_of_torch_open():
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in LINES if not line.startswith("#"))
    assert list(PINS) == sorted(PINS, key=canonicalize_name)
    assert PINS["torch"] == "2.13.0"
