"""The parts of a recipe that are not plugins refuse what cannot be meant."""

import pytest
from pydantic import BaseModel, ValidationError

from ercframe import ComponentConfig
from ercframe.settings import OptimizerSettings, ProtocolSettings, Settings, TrainerSettings


def settings_classes(base: type[BaseModel] = Settings) -> list[type[BaseModel]]:
    """Every settings class of the framework itself; plugins' own are checked when they are registered."""
    found = [cls for child in base.__subclasses__() for cls in (child, *settings_classes(child))]
    return [cls for cls in found if cls.__module__.startswith("ercframe.")]


@pytest.mark.parametrize("settings", settings_classes(), ids=lambda cls: cls.__name__)
def test_every_field_explains_itself(settings):
    assert [name for name, field in settings.model_fields.items() if not field.description] == []


class TestSettings:
    def test_they_are_frozen(self):
        with pytest.raises(ValidationError, match="frozen"):
            TrainerSettings().epochs = 3

    def test_unknown_keys_are_refused(self):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            TrainerSettings(epoch=3)
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            ComponentConfig(widht=3)

    @pytest.mark.parametrize("number", [float("nan"), float("inf")])
    def test_numbers_are_finite(self, number):
        with pytest.raises(ValidationError, match="finite number"):
            OptimizerSettings(lr=number)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (TrainerSettings, {"epochs": 0}),
        (TrainerSettings, {"epochs": 1.5}),
        (TrainerSettings, {"batch_dialogues": 0}),
        (TrainerSettings, {"clip_norm": 0}),
        (TrainerSettings, {"patience": 0}),
        (TrainerSettings, {"device": "gpu"}),
        (TrainerSettings, {"optimizer": {"name": "adma"}}),
        (TrainerSettings, {"optimizer": {"lr": 0}}),
        (TrainerSettings, {"optimizer": {"weight_decay": -1}}),
        (ProtocolSettings, {"name": "test"}),
        (ProtocolSettings, {"monitor": "loss"}),
        (ProtocolSettings, {"seeds": 0}),
        (ProtocolSettings, {"seeds": []}),
        (ProtocolSettings, {"seeds": [-1]}),
        (ProtocolSettings, {"dev_seed": 2**63}),
        (ProtocolSettings, {"dev_fraction": 0}),
        (ProtocolSettings, {"dev_fraction": 1}),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_refused(settings, wrong):
    with pytest.raises(ValidationError):
        settings(**wrong)


class TestProtocol:
    def test_a_number_of_seeds_counts_from_zero(self):
        assert ProtocolSettings(seeds=3).seed_list() == (0, 1, 2)

    def test_a_list_of_seeds_is_taken_as_it_is(self):
        assert ProtocolSettings(seeds=[7, 1]).seed_list() == (7, 1)

    def test_a_seed_twice_would_count_one_run_twice(self):
        with pytest.raises(ValidationError, match=r"seeds must differ from each other \(got \[1, 1\]\)"):
            ProtocolSettings(seeds=[1, 1])

    def test_the_paper_protocol_cannot_hide_that_it_chose_on_test(self):
        with pytest.raises(ValidationError, match="protocol 'paper' chooses on test, so show_gap must be true"):
            ProtocolSettings(name="paper", show_gap=False)
        assert not ProtocolSettings(name="heldout", show_gap=False).show_gap

    def test_the_honest_protocol_is_the_default(self):
        assert ProtocolSettings().name == "heldout"
