"""Which checks concern which kind of component, and how to run them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from ercframe.components import Component, ComponentConfig
from ercframe.errors import InputError, SpecError
from ercframe.testing import config_checks as config
from ercframe.testing import dataset_checks as dataset
from ercframe.testing import loss_checks as loss
from ercframe.testing import row_checks as rows
from ercframe.testing import shape_checks as shapes
from ercframe.testing import training_checks as training
from ercframe.testing import transform_checks as transform
from ercframe.testing.conversations import WIDTHS
from ercframe.testing.scenes import scenes
from ercframe.testing.trial import TRIALS
from ercframe.testing.verdicts import ContractError, NotApplicableError

Check = Callable[..., None]

EVERY_COMPONENT: tuple[Check, ...] = (config.settings_survive_yaml, config.settings_are_strict)
EVERY_PART: tuple[Check, ...] = (
    shapes.shapes_as_promised,
    rows.gaps_are_not_read,
    rows.order_of_dialogues_is_free,
    training.inputs_are_not_changed,
    training.every_parameter_learns,
    training.every_input_is_read,
    training.dtype_is_followed,
    training.device_is_followed,
    training.missing_modalities_stay_finite,
    training.single_utterance_is_enough,
    training.autocast_stays_finite,
    training.results_repeat,
    training.checkpoint_restores,
)
EVERY_MODEL_PART: tuple[Check, ...] = (
    *EVERY_PART,
    shapes.weights_are_distributions,
    rows.dialogues_are_independent,
    rows.dialogue_alone_gives_the_same,
    rows.future_is_as_declared,
)
BY_KIND: dict[str, tuple[Check, ...]] = {
    "encoder": EVERY_MODEL_PART,
    "fusion": EVERY_MODEL_PART,
    "classifier": EVERY_MODEL_PART,
    "loss": (
        *EVERY_PART,
        loss.terms_are_as_declared,
        loss.batches_add_up,
        loss.nothing_scored_is_an_attached_zero,
        loss.only_scored_rows_count,
        loss.one_emotion_is_enough,
    ),
    "transform": (
        transform.batch_is_not_changed,
        transform.answers_are_kept,
        transform.only_the_generator_decides,
        transform.hidden_rows_are_recorded,
        transform.every_batch_is_accepted,
    ),
    "dataset": (
        dataset.info_fits_the_splits,
        dataset.modalities_follow_the_recipe,
        dataset.dialogues_are_well_formed,
        dataset.ids_are_unique,
        dataset.batches_can_be_made,
        dataset.reading_repeats,
    ),
}
SLOW_BY_KIND: dict[str, tuple[Check, ...]] = dict.fromkeys(TRIALS, (training.compiled_gives_the_same,))
OF_SETTINGS = frozenset(EVERY_COMPONENT)
OF_ALL_SCENES = frozenset({training.every_parameter_learns, training.every_input_is_read})
OF_ONE_SCENE = frozenset({training.compiled_gives_the_same})


def nothing_to_try() -> None:
    """Stands for all checks of a component that needs something from outside, such as data on disk."""
    raise NotApplicableError("example_configs is empty; give contract_checks the settings to try")


class Subject:
    """A component with settings.

    Args:
        component: its class.
        settings: as a recipe would give them.
        modalities: what a dataset is asked for.
    """

    def __init__(self, component: type[Component], settings: Mapping[str, object], modalities: Sequence[str]) -> None:
        self.component, self.settings, self.modalities = component, dict(settings), tuple(modalities)

    @cached_property
    def config(self) -> ComponentConfig:
        """The settings, validated."""
        try:
            return self.component.Config(**self.settings)
        except ValidationError as error:
            raise ContractError(
                f"Config must accept these settings, from example_configs or the test: {error}"
            ) from error

    @cached_property
    def trials(self) -> tuple[Any, ...]:
        """The component in every scene that it accepts; at least one."""
        constructor: Any = self.component
        if self.component.kind == "dataset":
            return (dataset.DatasetTrial(constructor, self.config, self.modalities),)
        make: Any = transform.TransformTrial if self.component.kind == "transform" else TRIALS[self.component.kind]
        accepted, refused = [], []
        for scene in scenes(self.component.kind):
            trial = make(constructor, self.config, scene)
            try:
                trial.build()
            except (SpecError, InputError, ValueError) as error:
                refused.append(f"{scene.name}: {error}")
            else:
                accepted.append(trial)
        if not accepted:
            raise ContractError("the component must build in some scene; refused:\n  " + "\n  ".join(refused))
        return tuple(accepted)


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
        for trial in self.subject.trials[:1] if self.check in OF_ONE_SCENE else self.subject.trials:
            try:
                self.check(trial)
            except NotApplicableError as reason:
                reasons.append(str(reason))
            except Exception as error:
                where = f" in the scene '{trial.scene.name}'" if hasattr(trial, "scene") else ""
                error.add_note(where)
                raise
        if len(reasons) == len(self.subject.trials):
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
    checks = SLOW_BY_KIND.get(component.kind, ()) if slow else (*EVERY_COMPONENT, *BY_KIND.get(component.kind, ()))
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
    return parametrised(cases)


def parametrised(cases: Sequence[ContractCase]) -> Callable[[ContractCase], None]:
    """A pytest test with one test case for each of ``cases``; what does not apply is skipped with its reason."""
    import pytest

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in cases])
    def test_contract(case: ContractCase) -> None:
        try:
            case.run()
        except NotApplicableError as reason:
            pytest.skip(str(reason))

    return test_contract
