"""Running the checks that concern a component, one by one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from ercframe.components import Component
from ercframe.testing.catalogue import OF_ALL_SCENES, OF_ONE_SCENE, OF_SETTINGS, Check, checks_of, nothing_to_try
from ercframe.testing.conversations import WIDTHS
from ercframe.testing.subject import Subject
from ercframe.testing.verdicts import ContractError, NotApplicableError


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
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                self._run()
        except NotApplicableError:
            raise
        except Exception as error:
            if self.known:
                raise NotApplicableError(f"known to fail: {self.known}") from error
            raise ContractError(f"{self._told(error)}\n\n{inspect.getdoc(self.check)}") from error
        if self.known:
            raise ContractError(f"{self.id}: passes, so it must no longer be a known exception ({self.known})")

    def _run(self) -> None:
        if self.check is nothing_to_try:
            self.check()
        elif self.check in OF_SETTINGS:
            self.check(self.subject.config)
        elif self.check in OF_ALL_SCENES:
            self.check(self.subject.trials)
        else:
            self._run_in_scenes()

    def _run_in_scenes(self) -> None:
        reasons = []
        trials = self.subject.trials[: 1 if self.check in OF_ONE_SCENE else None]
        for trial in trials:
            try:
                self.check(trial)
            except NotApplicableError as reason:
                reasons.append(str(reason))
            except Exception as error:
                if hasattr(trial, "scene"):
                    error.add_note(f" in the scene '{trial.scene.name}'")
                raise
        if len(reasons) == len(trials):
            raise NotApplicableError("; ".join(dict.fromkeys(reasons)))

    def _told(self, error: Exception) -> str:
        cause = str(error) if isinstance(error, ContractError) else f"{type(error).__name__}: {error}"
        return f"{self.id}{''.join(getattr(error, '__notes__', ()))}\n  {cause}"


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
        exceptions: names of checks that are known to fail, each with the reason. One that passes is an error.
        modalities: what a dataset is asked for.
        slow: the slow checks (``torch.compile``) instead of the others.
        settings: its settings. Without any, each of its ``example_configs`` is tried, the first alone where slow.

    Raises:
        ValueError: ``exceptions`` names no check of this kind.
    """
    known = dict(exceptions or {})
    checks = checks_of(component.kind, slow)
    unknown = set(known) - {check.__name__ for check in checks}
    if unknown:
        raise ValueError(f"exceptions must name checks of the kind '{component.kind}' (got {sorted(unknown)})")
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
