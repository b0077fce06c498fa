"""Running the checks that concern a component, one by one."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from ercframe.blame import blame
from ercframe.components import Component
from ercframe.extras import MissingExtraError
from ercframe.testing.catalogue import (
    NEVER_SHRUNK,
    OF_ALL_SCENES,
    OF_ONE_SCENE,
    OF_SETTINGS,
    OF_SUBJECT,
    Check,
    checks_of,
    nothing_to_try,
)
from ercframe.testing.conversations import WIDTHS
from ercframe.testing.shrink import Smallest, smallest
from ercframe.testing.subject import Subject
from ercframe.testing.verdicts import ContractError, NotApplicableError

Status = Literal["passed", "failed", "skipped", "known"]


@dataclass(frozen=True)
class Outcome:
    """How a check went.

    Attributes:
        status: ``known`` where it fails as declared.
        message: what was violated, or why the check was skipped; empty where it passed.
        scene: the scene in which it failed; empty where it failed in none of its own.
        smallest: the smallest input that shows the failure; None where the check makes its own.
        error: what was raised.
        seconds: how long the check took, and the search for the smallest input.
    """

    status: Status
    message: str = ""
    scene: str = ""
    smallest: Smallest | None = None
    error: Exception | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class ContractCase:
    """One check of one component with one choice of settings.

    Attributes:
        subject: what is checked.
        check: the check; its name and docstring appear where it fails.
        known: why the check is known to fail; empty where it must pass.
    """

    subject: Subject
    check: Check
    known: str = ""

    @property
    def id(self) -> str:
        """Such as ``fusion/gated temperature=2.0: gaps_are_not_read``."""
        component = self.subject.component
        settings = "".join(f" {key}={value}" for key, value in self.subject.settings.items())
        return f"{component.kind}/{component.name}{settings}: {self.check.__name__}"

    def run(self) -> None:
        """Run the check.

        Raises:
            ContractError: the component breaks the contract, or no longer does where that is known.
            NotApplicableError: the check does not concern it, or it is known to fail.
        """
        outcome = self.outcome()
        if outcome.status in ("skipped", "known"):
            raise NotApplicableError(outcome.message) from outcome.error
        if outcome.status == "failed":
            raise ContractError(self._told(outcome)) from outcome.error

    def outcome(self, shrink: bool = True) -> Outcome:
        """Run the check and say how it went.

        Args:
            shrink: look for the smallest input that shows a failure.
        """
        started = time.perf_counter()
        found = self._outcome(shrink)
        return replace(found, seconds=time.perf_counter() - started)

    def _outcome(self, shrink: bool) -> Outcome:
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                self._run()
        except NotApplicableError as reason:
            return Outcome("skipped", str(reason), error=reason)
        except _FailedError as failure:
            if self.known:
                return Outcome("known", f"known to fail: {self.known}", error=failure.error)
            found = failure.smallest() if shrink and self.check not in NEVER_SHRUNK else None
            message = _cause(failure.error).removeprefix(f"in the scene '{failure.scene}': ")
            return Outcome("failed", message, failure.scene, found, failure.error)
        if self.known:
            return Outcome("failed", f"passes, so it must no longer be a known exception ({self.known})")
        return Outcome("passed")

    def _run(self) -> None:
        if self.check is nothing_to_try:
            self.check()
        elif self.check in OF_SUBJECT:
            self._attempt(self.check, self.subject)
        elif self.check in OF_SETTINGS:
            self._attempt(lambda subject: self.check(subject.config), self.subject)
        elif self.check in OF_ALL_SCENES:
            self._run_over_scenes(self._trials())
        else:
            self._run_in_scenes(self._trials()[: 1 if self.check in OF_ONE_SCENE else None])

    def _trials(self) -> tuple[Any, ...]:
        try:
            return self.subject.trials
        except ContractError as error:
            raise _FailedError(error) from error

    def _run_in_scenes(self, trials: Sequence[Any]) -> None:
        reasons = []
        for trial in trials:
            try:
                self._attempt(self.check, trial)
            except NotApplicableError as reason:
                reasons.append(str(reason))
        if len(reasons) == len(trials):
            raise NotApplicableError("; ".join(dict.fromkeys(reasons)))

    def _run_over_scenes(self, trials: Sequence[Any]) -> None:
        """A check of all scenes together; what it finds may show in one of them alone."""
        try:
            self._attempt(self.check, trials)
        except _FailedError as failure:
            for trial in trials:
                try:
                    self._attempt(lambda one: self.check((one,)), trial)
                except _FailedError as alone:
                    if str(alone.error) == str(failure.error):
                        raise alone from failure.error
                except NotApplicableError:
                    continue
            raise

    def _attempt(self, check: Check, tried: Any) -> None:
        try:
            check(tried)
        except NotApplicableError:
            raise
        except MissingExtraError as error:
            raise NotApplicableError(error.title) from error
        except Exception as error:
            raise _FailedError(error, check, tried) from error

    def _told(self, outcome: Outcome) -> str:
        where = f" in the scene '{outcome.scene}'" if outcome.scene else ""
        lines = [f"{self.id}{where}", f"  {outcome.message}"]
        if outcome.smallest:
            lines += [f"  smallest input that shows it: {outcome.smallest.words()}", f"  {outcome.smallest.python()}"]
        return "\n".join([*lines, "", inspect.getdoc(self.check) or ""])


class _FailedError(Exception):
    """A check that failed, and on what."""

    def __init__(self, error: Exception, check: Check | None = None, tried: Any = None) -> None:
        super().__init__(str(error))
        self.error, self.check, self.tried = error, check, tried

    @property
    def scene(self) -> str:
        """Name of the scene; empty where the check was not tried in one."""
        return str(self.tried.scene.name) if hasattr(self.tried, "scene") else ""

    def smallest(self) -> Smallest | None:
        """The smallest input on which the check fails the same way."""
        if self.check is None or not self.scene:
            return None
        return Smallest(smallest(self.check, self.tried, self.error))


def _cause(error: Exception) -> str:
    return str(error) if isinstance(error, ContractError) else blame(error)


def contract_cases(
    component: type[Component],
    /,
    *,
    exceptions: Mapping[str, str] | None = None,
    modalities: Sequence[str] = tuple(WIDTHS),
    slow: bool = False,
    **settings: object,
) -> list[ContractCase]:
    """Every check that concerns a component, to be run one by one.

    Args:
        component: a class that a plugin provides.
        exceptions: names of checks that are known to fail, each with the reason, besides the component's own
            ``known_exceptions``. One that passes is an error.
        modalities: what a dataset is asked for.
        slow: the slow checks (``torch.compile``) instead of the others.
        settings: its settings. Without any, each of its ``example_configs`` is tried, the first alone where slow.

    Raises:
        ValueError: ``exceptions`` names no check of this kind.
    """
    known = {**component.known_exceptions, **(exceptions or {})}
    checks = checks_of(component.kind, slow)
    unknown = set(known) - {check.__name__ for both in (True, False) for check in checks_of(component.kind, both)}
    if unknown:
        raise ValueError(f"exceptions must name checks of the kind '{component.kind}' (got {sorted(unknown)})")
    unexplained = sorted(name for name, reason in known.items() if not reason.strip())
    if unexplained:
        raise ValueError(f"exceptions must give a reason (got none for {unexplained})")
    examples = (settings,) if settings else component.example_configs[: 1 if slow else None]
    subjects = [Subject(component, example, modalities) for example in examples]
    if not subjects:
        return [ContractCase(Subject(component, {}, modalities), nothing_to_try)]
    return [ContractCase(subject, check, known.get(check.__name__, "")) for subject in subjects for check in checks]


def contract_checks(
    component: type[Component],
    /,
    *,
    exceptions: Mapping[str, str] | None = None,
    modalities: Sequence[str] = tuple(WIDTHS),
    slow: bool = False,
    **settings: object,
) -> Callable[[ContractCase], None]:
    """A pytest test of every check that concerns a component, one test case for each.

    In a test file::

        test_contract = contract_checks(MyFusion)
        test_contract_wide = contract_checks(MyFusion, width=64)

    Arguments as in :func:`contract_cases`.
    """
    cases = contract_cases(component, exceptions=exceptions, modalities=modalities, slow=slow, **settings)
    return as_pytest(cases)


def as_pytest(cases: Sequence[ContractCase]) -> Callable[[ContractCase], None]:
    """A pytest test with one test case for each of ``cases``; what does not apply is skipped with its reason."""
    import pytest

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in cases])
    def test_contract(case: ContractCase) -> None:
        try:
            case.run()
        except NotApplicableError as reason:
            pytest.skip(str(reason))

    return test_contract
