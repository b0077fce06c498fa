"""The checks of some components, run one after the other, and what came out, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ercframe.components import Component
from ercframe.testing.catalogue import CONTRACT_VERSION, checks_of, explained
from ercframe.testing.conversations import WIDTHS
from ercframe.testing.suite import ContractCase, Outcome, Status, contract_cases

FORMAT = 1
"""Version of :func:`as_json`; raised when a key changes its meaning or goes away."""


@dataclass(frozen=True)
class Result:
    """A check and how it went."""

    case: ContractCase
    outcome: Outcome


@dataclass(frozen=True)
class Examined:
    """A component with one choice of settings, and what its checks found."""

    component: type[Component]
    settings: Mapping[str, object]
    refusals: Mapping[str, str]
    scenes: int
    results: tuple[Result, ...]

    @property
    def title(self) -> str:
        """Such as ``fusion/gated temperature=2.0``."""
        settings = "".join(f" {key}={value}" for key, value in self.settings.items())
        return f"{self.component.kind}/{self.component.name}{settings}"


def examine(
    component: type[Component],
    *,
    settings: Mapping[str, object] | None = None,
    exceptions: Mapping[str, str] | None = None,
    modalities: Sequence[str] = tuple(WIDTHS),
    slow: bool = False,
    on_check: Callable[[str], None] = lambda case: None,
) -> list[Examined]:
    """Run every check of a component, for each of its example settings or for ``settings``.

    Args:
        component: a class that a plugin provides.
        settings: instead of its examples.
        exceptions: as in :func:`contract_cases`; names that are checks of other kinds are left out.
        modalities: what a dataset is asked for.
        slow: the slow checks, too.
        on_check: told of each check before it runs.
    """
    names = {check.__name__ for both in (False, True) for check in checks_of(component.kind, both)}
    known = {name: reason for name, reason in (exceptions or {}).items() if name in names}
    given: Any = dict(settings or {})
    cases = contract_cases(component, exceptions=known, modalities=modalities, **given)
    if slow and checks_of(component.kind, slow=True):
        cases += contract_cases(component, exceptions=known, modalities=modalities, slow=True, **given)
    by_settings: dict[str, list[Result]] = {}
    for case in cases:
        on_check(case.id)
        by_settings.setdefault(str(case.subject.settings), []).append(Result(case, case.outcome()))
    return [_examined(component, results) for results in by_settings.values()]


def _examined(component: type[Component], results: list[Result]) -> Examined:
    subject = results[0].case.subject
    try:
        refusals, scenes = subject.refusals(), len(subject.accepted) + len(subject.refused)
    except Exception:  # the settings are wrong, which the checks tell
        refusals, scenes = {}, 0
    return Examined(component, subject.settings, refusals, scenes, tuple(results))


def counts(examined: Iterable[Examined]) -> dict[Status, int]:
    """How many checks passed, failed, were known to fail, were skipped."""
    found = Counter(result.outcome.status for one in examined for result in one.results)
    every: tuple[Status, ...] = ("passed", "failed", "known", "skipped")
    return {status: found[status] for status in every}


def as_json(examined: Sequence[Examined], target: str, version: str) -> dict[str, Any]:
    """All of it as plain values, in a format that stays: keys are added, never changed.

    Args:
        examined: what was checked.
        target: what the user asked to check.
        version: of ercframe.
    """
    found = counts(examined)
    return {
        "format": FORMAT,
        "contract": CONTRACT_VERSION,
        "ercframe": version,
        "target": target,
        "passed": found["failed"] == 0,
        "counts": {"run": sum(found.values()) - found["skipped"], **found},
        "components": [_component(one) for one in examined],
    }


def _component(one: Examined) -> dict[str, Any]:
    return {
        "kind": one.component.kind,
        "name": one.component.name,
        "settings": {key: _plain(value) for key, value in one.settings.items()},
        "scenes": one.scenes,
        "refused": dict(one.refusals),
        "checks": [_check(result) for result in one.results],
    }


def _check(result: Result) -> dict[str, Any]:
    asks, why = explained(result.case.check)
    outcome = result.outcome
    return {
        "check": result.case.check.__name__,
        "asks": asks,
        "why": why,
        "status": outcome.status,
        "message": outcome.message,
        "scene": outcome.scene,
        "smallest": outcome.smallest.as_json() if outcome.smallest else None,
        "seconds": round(outcome.seconds, 3),
    }


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | str | list | dict | None) else str(value)
