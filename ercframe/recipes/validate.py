"""Checking a recipe's tree against the registry: every problem at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ercframe.components import Loss
from ercframe.recipes.frame import KEYS, SINGLE_SLOTS, Frame, Weight, usable_name
from ercframe.recipes.messages import unknown_key
from ercframe.recipes.model import LossSlot, Slot
from ercframe.recipes.settings_check import AnySettings, check_settings, deeper, join
from ercframe.recipes.sources import Finding
from ercframe.recipes.yaml_tree import Node, written
from ercframe.registry import Registry


@dataclass(frozen=True)
class Checked:
    """A recipe's parts, each checked."""

    frame: Frame
    slots: Mapping[str, Slot]
    transforms: tuple[Slot, ...]
    losses: Mapping[str, LossSlot]
    trackers: tuple[Slot, ...]


def check(tree: Node, registry: Registry) -> tuple[Checked | None, list[Finding]]:
    """Check a recipe's tree.

    Returns:
        The parts, None where something is wrong, and every problem.
    """
    checker = _Checker(registry)
    checker.keys(tree)
    frame = checker.settings(Frame, "", _only(tree, Frame.model_fields))
    slots = {kind: checker.required_slot(tree, kind) for kind in SINGLE_SLOTS}
    transforms = checker.slots(tree, "transforms", "transform")
    losses = checker.losses(tree)
    trackers = checker.slots(tree, "trackers", "tracker")
    if frame is not None:
        checker.accumulation(tree, frame, losses)
        checker.plateau(tree, frame)
    if checker.findings or frame is None:
        return None, checker.findings
    complete = {kind: slot for kind, slot in slots.items() if slot}
    return Checked(frame, complete, transforms, losses, trackers), []


@dataclass
class _Checker:
    """Collects what is wrong while it goes through the recipe."""

    registry: Registry
    findings: list[Finding] = field(default_factory=list)

    def add(self, node: Node, key: str, message: str) -> None:
        self.findings.append(Finding(node.place, key, message))

    def settings(
        self, model: type[AnySettings], key: str, node: Node, beside: Sequence[str] = ()
    ) -> AnySettings | None:
        settings, findings = check_settings(model, key, node, beside)
        self.findings += findings
        return settings

    def keys(self, tree: Node) -> None:
        for key, node in tree.children.items():
            if key == "extends":  # of a file it has been read by now
                self.findings.append(Finding(node.place, key, "must be written in the recipe file"))
            elif key not in KEYS:
                message = unknown_key(key, KEYS, deeper(Frame, key) or self.setting_of_a_part(tree, key))
                self.findings.append(Finding(node.key_place or node.place, key, message))

    def setting_of_a_part(self, tree: Node, name: str) -> str:
        """The dotted key of a setting of this name in a part of the recipe; empty where none has one."""
        for kind in SINGLE_SLOTS:
            chosen = tree.children[kind].children.get("type") if kind in tree.children else None
            type = str(chosen.value) if chosen else ""
            if type in self.registry.names(kind) and name in self.registry.get(kind, type).Config.model_fields:
                return f"{kind}.{name}"
        return ""

    def required_slot(self, tree: Node, kind: str) -> Slot | None:
        node = tree.children.get(kind)
        if node is None:
            self.add(tree, kind, f"must be given: {{type: …}}, one of {self.names(kind)}")
            return None
        return self.slot(kind, kind, node)

    def slot(self, kind: str, key: str, node: Node) -> Slot | None:
        """A component and its settings."""
        chosen = node.children.get("type")
        if not isinstance(node.value, dict):
            self.add(node, key, f"must be a mapping {{type: …}} (got {written(node.value)})")
        elif chosen is None:
            self.add(node, key, f"must have a type, one of {self.names(kind)}")
        elif not isinstance(chosen.value, str):
            self.add(chosen, f"{key}.type", f"must be one of {self.names(kind)} (got {written(chosen.value)})")
        elif chosen.value not in self.registry.names(kind):
            self.add(chosen, f"{key}.type", self.registry.why_unknown(kind, chosen.value))
        else:
            component = self.registry.get(kind, chosen.value)
            config = self.settings(component.Config, key, _without(node, "type"), ("type",))
            return Slot(component, config) if config is not None else None
        return None

    def names(self, kind: str) -> str:
        return ", ".join(self.registry.names(kind)) or "none (no plugin provides any)"

    def slots(self, tree: Node, key: str, kind: str) -> tuple[Slot, ...]:
        """Any number of components of a kind, none where the key is left out."""
        node = tree.children.get(key)
        if node is None:
            return ()
        if node.implied:  # a dotted key that reached no entry
            for entry, child in node.children.items():
                place = child.key_place or child.place
                self.findings.append(Finding(place, f"{key}.{entry}", "must name an entry of the list, from 0"))
            return ()
        if not isinstance(node.value, list):
            self.add(node, key, f"must be a list of mappings {{type: …}} (got {written(node.value)})")
            return ()
        slots = [self.slot(kind, join(key, str(i)), item) for i, item in enumerate(node.value)]
        return tuple(slot for slot in slots if slot)

    def losses(self, tree: Node) -> dict[str, LossSlot]:
        node = tree.children.get("losses")
        if node is None:
            self.add(tree, "losses", "must be given: a name and {type: …} for each loss")
            return {}
        if not isinstance(node.value, dict):
            self.add(
                node, "losses", f"must be a mapping, a name and {{type: …}} for each loss (got {written(node.value)})"
            )
            return {}
        named = {name: child for name, child in node.value.items() if child.value is not None}  # null takes one out
        if not named:
            self.add(node, "losses", "must have at least one loss (got none)")
        slots = {name: self.loss(name, child) for name, child in named.items()}
        return {name: slot for name, slot in slots.items() if slot}

    def accumulation(self, tree: Node, frame: Frame, losses: Mapping[str, LossSlot]) -> None:
        """Refuse steps of several batches where a loss compares the utterances of one with each other."""
        coupled = [f"'{name}'" for name, slot in losses.items() if _couples_rows(slot)]
        if frame.trainer.accumulate == 1 or not coupled:
            return
        message = (
            f"must be 1 where a loss compares the utterances of a batch with each other, as {', '.join(coupled)} does "
            f"(got {frame.trainer.accumulate}); a larger trainer.batch_dialogues shows it more of them"
        )
        self.add(tree.children["trainer"].children["accumulate"], "trainer.accumulate", message)

    def plateau(self, tree: Node, frame: Frame) -> None:
        """Refuse a schedule that reads dev where there is none."""
        if frame.trainer.schedule.name == "plateau" and frame.protocol.name == "paper":
            message = (
                "must not be plateau under protocol 'paper', which has no dev to look at; "
                "constant, linear, cosine and one_cycle look at no score"
            )
            name = tree.children["trainer"].children["schedule"].children["name"]
            self.add(name, "trainer.schedule.name", message)

    def loss(self, name: str, node: Node) -> LossSlot | None:
        key = f"losses.{name}"
        try:
            usable_name(name)
        except ValueError as error:
            self.findings.append(Finding(node.key_place or node.place, key, str(error)))
        slot = self.slot("loss", key, _without(node, "weight"))
        weight = self.settings(Weight, key, _only(node, ["weight"]))
        if slot is None or weight is None:
            return None
        assert issubclass(slot.component, Loss)
        terms = slot.component.terms
        if not isinstance(weight.weight, dict):
            return LossSlot(slot.component, slot.config, weight.weight)
        for term, child in node.children["weight"].children.items():
            if term not in terms:
                place = child.key_place or child.place
                self.findings.append(Finding(place, f"{key}.weight.{term}", unknown_key(term, terms)))
        return LossSlot(slot.component, slot.config, {term: weight.weight.get(term, 1.0) for term in terms})


def _couples_rows(slot: LossSlot) -> bool:
    assert issubclass(slot.component, Loss)
    return slot.component.couples_rows


def _only(node: Node, keys: Collection[str]) -> Node:
    return replace(node, value={key: child for key, child in node.children.items() if key in keys})


def _without(node: Node, key: str) -> Node:
    if not isinstance(node.value, dict):
        return node
    return replace(node, value={k: child for k, child in node.children.items() if k != key})
