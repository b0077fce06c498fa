"""The contract suite finds each fault with the checks that are meant to, and passes sound components."""

import inspect

import broken_data
import broken_extractors
import broken_importers
import broken_losses
import broken_parts
import broken_trackers
import pytest
import torch
from pydantic import Field

from ercframe import Component, ComponentConfig, Fusion, SpecError, Term
from ercframe.testing import ContractError, NotApplicableError, contract_cases, contract_checks
from ercframe.testing.catalogue import BY_KIND, EVERY_COMPONENT, SLOW_BY_KIND, explained

COMPONENTS = [
    component
    for module in (broken_parts, broken_losses, broken_data, broken_importers, broken_extractors, broken_trackers)
    for component in vars(module).values()
    if inspect.isclass(component) and issubclass(component, Component) and component.__module__ == module.__name__
]
BROKEN = [component for component in COMPONENTS if component.breaks]
SOUND = [component for component in COMPONENTS if not component.breaks]
SLOW = {check.__name__ for checks in SLOW_BY_KIND.values() for check in checks}


def failing(component: type[Component], **options: object) -> dict[str, str]:
    """What every check that fails says."""
    cases = contract_cases(component, **options)
    outcomes = {case.check.__name__: case.outcome(shrink=False) for case in cases}
    return {name: outcome.message for name, outcome in outcomes.items() if outcome.status == "failed"}


def failures(component: type[Component], **options: object) -> dict[str, str]:
    """The message of every check that fails, as pytest shows it."""
    failed = {}
    for case in contract_cases(component, **options):
        try:
            case.run()
        except ContractError as error:
            failed[case.check.__name__] = str(error)
        except NotApplicableError:
            pass
    return failed


@pytest.mark.parametrize("component", [c for c in BROKEN if not c.breaks & SLOW], ids=lambda c: c.__name__)
def test_fault_is_found_by_the_checks_that_are_meant_to(component):
    failed = failing(component)
    assert set(failed) == component.breaks, failed


@pytest.mark.slow
@pytest.mark.parametrize("component", [c for c in BROKEN if c.breaks & SLOW], ids=lambda c: c.__name__)
def test_fault_is_found_by_the_slow_checks_that_are_meant_to(component):
    assert set(failing(component, slow=True)) == component.breaks


@pytest.mark.parametrize("component", SOUND, ids=lambda c: c.__name__)
def test_sound_component_passes(component):
    assert failing(component) == {}


def test_every_check_finds_something():
    every = {check.__name__ for checks in (EVERY_COMPONENT, *BY_KIND.values()) for check in checks} | SLOW
    assert every == set().union(*(component.breaks for component in BROKEN))


def test_every_check_says_what_it_asks_and_why_it_matters():
    checks = {check for group in (EVERY_COMPONENT, *BY_KIND.values(), *SLOW_BY_KIND.values()) for check in group}
    assert [check.__name__ for check in checks if not all(explained(check))] == []


def test_message_names_component_check_scene_fault_and_reason():
    message = failures(broken_parts.LooksAhead)["future_is_as_declared"]
    first, second, smallest, python, blank, *why = message.splitlines()
    assert first == "encoder/sound: future_is_as_declared in the scene '3 modalities'"
    assert second.startswith(
        "  sees_future must be True where a last utterance changes others ('stream text' differs in "
    )
    assert smallest == "  smallest input that shows it: 1 dialogue of 2 utterances; text (1 feature)"
    assert python == "  example_batch(example_dataset({'text': 1}), (2,), holes=False, unscored=False)"
    assert blank == ""
    assert why[-1] == "Live prediction trusts it: the later utterances have not been spoken."


def test_dead_parameters_are_named():
    message = failures(broken_parts.HasADeadLayer)["every_parameter_learns"]
    assert "every parameter must get a gradient (none reaches ['norm.weight', 'norm.bias'])" in message


def test_what_does_not_repeat_says_so_wherever_results_are_compared():
    said = failing(broken_parts.DropsOutAlways)
    repeated = {name: message for name, message in said.items() if "the same input in eval mode must give" in message}
    assert repeated.keys() == broken_parts.DropsOutAlways.breaks
    assert len(set(repeated.values())) == 1  # so that a report tells it once


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda fused: fused.joint, "forward must return FusionOutput (got Tensor)"),
        (lambda fused: (fused.joint, fused.weights), "forward must return FusionOutput (got tuple)"),
    ],
)
def test_a_part_that_returns_something_else_is_told_what_to_return(returned, message):
    class ReturnsSomethingElse(broken_parts.SoundFusion):
        """Returns something else."""

        def forward(self, streams, context):
            return returned(super().forward(streams, context))

    assert message in failing(ReturnsSomethingElse)["shapes_as_promised"]


def test_a_term_that_is_no_tensor_is_named():
    class ReturnsANumber(broken_losses.SoundLoss):
        """Returns a number where it has nothing to say."""

        def forward(self, output, batch):
            return {"nll": Term(0, super().forward(output, batch)["nll"].count)}

    said = failing(ReturnsANumber)
    assert "the total of 'nll' must be a tensor (got 0)" in said["shapes_as_promised"]
    assert {message.split(": ")[-1] for message in said.values()} == {"the total of 'nll' must be a tensor (got 0)"}


def test_a_default_of_another_type_is_named():
    class HasATextForANumber(broken_parts.SoundFusion):
        """Has a default of another type."""

        class Config(ComponentConfig):
            temperature: float = Field("hot", description="Of the gate.")

    said = failing(HasATextForANumber)["settings_survive_yaml"]
    assert "temperature must be a valid number" in said
    assert "(got 'hot')" in said


def test_the_place_that_is_on_another_device_is_named():
    said = failing(broken_parts.LeavesATensorOnTheHost)["device_is_followed"]
    assert "broken_parts.py:" in said


def test_unread_streams_are_named():
    message = failures(broken_parts.ReadsTheFirstModality)["every_input_is_read"]
    assert "(none reaches ['stream audio', 'stream visual'])" in message


def test_known_exception_is_skipped_with_its_reason():
    (case,) = [
        case
        for case in contract_cases(broken_parts.LooksAhead, exceptions={"future_is_as_declared": "to be mended"})
        if case.check.__name__ == "future_is_as_declared"
    ]
    with pytest.raises(NotApplicableError, match="known to fail: to be mended"):
        case.run()


def test_known_exception_that_passes_is_an_error():
    failed = failures(broken_parts.SoundEncoder, exceptions={"results_repeat": "no longer true"})
    assert list(failed) == ["results_repeat"]
    assert "passes, so it must no longer be a known exception (no longer true)" in failed["results_repeat"]


def test_exception_for_an_unknown_check_is_refused():
    with pytest.raises(
        ValueError, match=r"exceptions must name checks of the kind 'encoder' \(got \['reslts_repeat'\]\)"
    ):
        contract_cases(broken_parts.SoundEncoder, exceptions={"reslts_repeat": "misspelt"})


def test_component_that_builds_nowhere_fails_with_every_refusal():
    class Refuses(Fusion):
        name = "refuses"

        def __init__(self, config, dataset, streams):
            raise SpecError("encoder", "smell", "none")

        def forward(self, streams, context):
            raise AssertionError

    failed = failures(Refuses)
    assert list(failed) == ["class_is_usable", "constructor_builds_or_refuses"]
    message = failed["constructor_builds_or_refuses"]
    assert "the component must build in some scene; refused:" in message
    assert "one joint stream: needs smell; the encoder provides none" in message


def test_settings_that_config_refuses_fail_with_the_cause():
    message = failures(broken_parts.SoundEncoder, width=3)["settings_survive_yaml"]
    assert "Config must accept these settings, from example_configs or the test" in message
    assert "Extra inputs are not permitted" in message


def test_component_without_example_settings_is_one_skip():
    class NeedsData(broken_data.SoundDataset):
        example_configs = ()

    (case,) = contract_cases(NeedsData)
    with pytest.raises(NotApplicableError, match="example_configs is empty"):
        case.run()


def test_every_example_is_tried():
    class HasTwo(broken_parts.ForgetsASetting):
        example_configs = ({"scale": 2.0}, {"scale": 2.5})

    failed = [case.id for case in contract_cases(HasTwo) if _fails(case)]
    assert failed == ["encoder/sound scale=2.5: settings_survive_yaml"]


def _fails(case):
    try:
        case.run()
    except ContractError:
        return True
    except NotApplicableError:
        pass
    return False


def test_global_random_state_stays():
    before = torch.get_rng_state()
    failing(broken_parts.LooksAhead)
    assert torch.equal(before, torch.get_rng_state())


test_contract_of_a_sound_fusion = contract_checks(broken_parts.SoundFusion)
