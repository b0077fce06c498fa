"""What a registry answers: names, entries, near misses, and names that two plugins claim."""

from abc import abstractmethod

import pytest
from pydantic import BaseModel, Field

from ercframe import Component, ComponentConfig, Fusion, InputError, Loss
from ercframe.components import KINDS
from ercframe.registry import Origin, Registry, faults, nearest


def fusion(name: str, **attributes: object) -> type[Fusion]:
    """A usable fusion class of this name."""
    members = {
        "name": name,
        "forward": lambda self, streams, context: None,
        "__doc__": f"Fuse by {name}.",
        **attributes,
    }
    return type(name.title(), (Fusion,), members)


def loss(name: str, **attributes: object) -> type[Loss]:
    """A usable loss class of this name."""
    members = {
        "name": name,
        "terms": (name,),
        "forward": lambda self, output, batch: {},
        "__doc__": "Lose.",
        **attributes,
    }
    return type(name.title(), (Loss,), members)


class TestLookup:
    def test_components_come_sorted_in_the_order_of_the_data_flow(self, registry_of):
        registry = registry_of(a=[loss("hinge"), fusion("zip"), fusion("mean")])
        assert [e.component.name for e in registry.entries()] == ["mean", "zip", "hinge"]
        assert registry.names("fusion") == ("mean", "zip")
        assert registry.names("encoder") == ()

    def test_an_entry_knows_its_class_and_origin(self, registry_of):
        mean = fusion("mean")
        registry = registry_of(mine=[mean])
        assert registry.get("fusion", "mean") is mean
        assert str(registry.entry("fusion", "mean").origin) == "mine"

    def test_the_same_name_may_be_used_in_two_kinds(self, registry_of):
        registry = registry_of(a=[fusion("same")], b=[loss("same")])
        assert registry.failures == ()
        assert registry.get("loss", "same").kind == "loss"

    def test_registries_do_not_share_anything(self, registry_of):
        registry_of(a=[fusion("mean")])
        assert registry_of().entries() == ()


class TestUnknown:
    @pytest.mark.parametrize(
        ("kind", "name", "message"),
        [
            ("fusion", "maen", "unknown fusion 'maen'; did you mean 'mean'? Installed: mean, zip."),
            ("fusion", "transformer", "unknown fusion 'transformer'. Installed: mean, zip."),
            ("loss", "mean", "unknown loss 'mean'. Installed: none."),
            (
                "fuson",
                "mean",
                f"unknown kind 'fuson'; kinds: {', '.join(KINDS)}; did you mean 'fusion'?",
            ),
        ],
    )
    def test_the_message_names_what_there_is_and_the_nearest(self, registry_of, kind, name, message):
        registry = registry_of(a=[fusion("mean"), fusion("zip")])
        with pytest.raises(InputError) as raised:
            registry.get(kind, name)
        assert str(raised.value) == message

    def test_plugins_that_failed_are_named_since_they_may_have_held_it(self, registry_of):
        registry = registry_of(good=[fusion("mean")], bad=42)
        assert registry.why_unknown("fusion", "wavelet") == (
            "unknown fusion 'wavelet'. Installed: mean. Plugins that failed to load: "
            "bad: ercframe_components() must return a list of component classes (got 42)"
        )

    @pytest.mark.parametrize(
        ("word", "expected"), [("gatd", "; did you mean 'gated'?"), ("Gated", "; did you mean 'gated'?"), ("x", "")]
    )
    def test_nearest(self, word, expected):
        assert nearest(word, ["gated", "graph"]) == expected


class TestContested:
    def test_a_name_claimed_twice_belongs_to_nobody_and_both_are_named(self, registry_of):
        registry = registry_of(first=[fusion("mean"), fusion("zip")], second=[fusion("mean")])
        message = "fusion 'mean' is provided by first and by second; rename one"
        assert registry.names("fusion") == ("zip",)
        assert [f.cause for f in registry.failures] == [message]
        with pytest.raises(InputError) as raised:
            registry.entry("fusion", "mean")
        assert str(raised.value) == message

    def test_three_owners_are_all_named(self, registry_of):
        registry = registry_of(a=[fusion("mean")], b=[fusion("mean")], c=[fusion("mean")])
        assert registry.why_unknown("fusion", "mean") == "fusion 'mean' is provided by a and by b and by c; rename one"

    def test_one_plugin_may_not_use_a_name_twice(self, registry_of):
        registry = registry_of(a=[fusion("mean"), fusion("mean")])
        assert registry.names("fusion") == ()
        assert "provided by a and by a" in registry.failures[0].cause


class TestOrigin:
    def test_an_installed_plugin_shows_its_package(self):
        assert str(Origin("my_fusion", "erc-extras 2.1")) == "erc-extras 2.1 (my_fusion)"

    def test_a_loose_file_shows_its_path(self, tmp_path):
        assert str(Origin(str(tmp_path / "a.py"), file=tmp_path / "a.py")) == str(tmp_path / "a.py")


class Half(Fusion):
    """It promises another method still to be written."""

    name = "half"

    @abstractmethod
    def mix(self) -> None:
        """Left to a subclass."""


class NoKind(Component):
    """It subclasses the root instead of a kind."""

    name = "no_kind"


class Silent(Fusion):
    name = "silent"

    def forward(self, streams, context):
        raise NotImplementedError


class Bare(Fusion):
    """It forgot its name."""

    def forward(self, streams, context):
        raise NotImplementedError


def config(**fields: tuple[type, object]) -> type[ComponentConfig]:
    """A config class with these fields, each a type and a default."""
    annotations = {name: kind for name, (kind, _) in fields.items()}
    defaults = {name: default for name, (_, default) in fields.items()}
    return type("Config", (ComponentConfig,), {"__annotations__": annotations, "__module__": __name__, **defaults})


WEIGHT = (float, Field(1.0, description="Strength."))


class TestFaults:
    @pytest.mark.parametrize(
        ("component", "message"),
        [
            (42, "ercframe_components() must return component classes (got 42)"),
            (str, "ercframe_components() must return component classes (got <class 'str'>)"),
            (NoKind, f"NoKind must subclass one of {', '.join(base.__name__ for base in KINDS.values())}"),
            (Half, "Half must implement forward, mix"),
            (Silent, "Silent must have a docstring"),
            (fusion("Mean"), "Mean.name must be lower case letters, digits and underscores (got 'Mean')"),
            (fusion("gated-2"), "Gated-2.name must be lower case letters, digits and underscores (got 'gated-2')"),
            (Bare, "Bare.name must be lower case letters, digits and underscores (got None)"),
            (loss("free", terms=()), "Free.terms must name the terms it returns"),
            (
                fusion("plain", Config=BaseModel),
                "Plain.Config must subclass ComponentConfig (got <class 'pydantic.main.BaseModel'>)",
            ),
            (
                fusion("mute", Config=config(width=(int, Field(8, ge=1)))),
                "Mute.Config.width must have a description",
            ),
            (
                fusion("typed", Config=config(type=(str, Field("a", description="Which.")))),
                "Typed.Config must not have a field 'type', which names the component in a recipe",
            ),
            (
                loss("heavy", Config=config(weight=WEIGHT)),
                "Heavy.Config must not have a field 'weight', which weighs a loss in a recipe",
            ),
        ],
    )
    def test_each_fault_is_said_exactly(self, component, message):
        assert list(faults(component)) == [message]

    def test_only_a_loss_is_weighed_so_others_may_have_a_weight(self):
        assert list(faults(fusion("mean", Config=config(weight=WEIGHT)))) == []

    def test_all_faults_come_at_once(self):
        component = fusion("Bad", __doc__=None, Config=config(width=(int, 8)))
        assert len(list(faults(component))) == 3

    def test_a_docstring_is_not_inherited_from_the_base(self):
        assert Fusion.__doc__
        assert list(faults(fusion("quiet", __doc__=None))) == ["Quiet must have a docstring"]


def test_kinds_are_in_the_order_of_the_data_flow():
    assert list(KINDS)[:6] == ["dataset", "transform", "encoder", "fusion", "classifier", "loss"]
    assert all(base.kind == kind for kind, base in KINDS.items())


def test_an_empty_registry_answers():
    assert Registry().why_unknown("fusion", "mean") == "unknown fusion 'mean'. Installed: none."
