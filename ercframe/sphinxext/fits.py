"""What a component can be built on, what it reads and what it promises: found by trying, not by asking its author."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ercframe.components import Component, ComponentConfig
from ercframe.errors import InputError, SpecError
from ercframe.recipes.fields import in_yaml
from ercframe.registry import Entry, Registry
from ercframe.specs import DatasetInfo, FusedSpec, ModelSpec, StreamSpec
from ercframe.tensors import Stream
from ercframe.testing import example_dataset
from ercframe.testing.scenes import Scene, scenes
from ercframe.testing.trial import TRIALS, Trial
from ercframe.training.device import threads

BEFORE = {"fusion": "encoder", "classifier": "fusion", "loss": "fusion"}
"""Whose promises a component of a kind is built on."""


@dataclass(frozen=True)
class Attempt:
    """A component built in some surrounding.

    Attributes:
        where: the surrounding: a scene of the contract suite, or ``kind/name`` of an installed component.
        settings: what the other component was set to, as YAML; empty for its defaults.
        refused: why it could not be built; empty where it could.
    """

    where: str
    settings: str = ""
    refused: str = ""


def surroundings(component: type[Component]) -> tuple[Attempt, ...]:
    """Whether a component builds in each surrounding that the contract suite has for its kind."""
    config = usable_config(component)
    if component.kind not in TRIALS or config is None:
        return ()
    return tuple(Attempt(scene.name, refused=_refusal(component, config, scene)) for scene in scenes(component.kind))


def partners(component: type[Component], registry: Registry) -> tuple[Attempt, ...]:
    """Whether a component builds on each installed one that may come before it; for an encoder, which build on it."""
    config = usable_config(component)
    if config is None:
        return ()
    if component.kind == "encoder":
        spec = _spec(component, config, example_dataset())
        return tuple(_after(spec, entry) for entry in registry.entries("fusion")) if spec else ()
    kind = BEFORE.get(component.kind)
    return tuple(_on(component, config, entry) for entry in registry.entries(kind)) if kind else ()


def inputs_read(component: type[Component]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of all that the parts before it offer a component reads, and which it ignores.

    An input is read where something of what the component returns has a gradient for it.
    """
    if component.kind not in TRIALS:
        return (), ()
    for settings in (*component.example_configs, {}):
        for scene in sorted(scenes(component.kind), key=lambda scene: "all pairs of 3" not in scene.name):
            found = _gradients(component, settings, scene)
            if found:
                return tuple(n for n, read in found.items() if read), tuple(n for n, read in found.items() if not read)
    return (), ()


def promises(component: type[Component]) -> dict[str, str]:
    """What a component promises to emit, by name: its width as a formula in D, the width of everything before it."""
    config = usable_config(component)
    if component.kind not in ("encoder", "fusion") or config is None:
        return {}
    small, large = (_widths(component, config, width) for width in (6, 10))
    return {name: as_formula({6: small[name], 10: large[name]}) for name in small if name in large}


def sees_future(component: type[Component]) -> bool | None:
    """Whether an utterance's result may depend on later ones, with usual settings; None where it cannot be built."""
    config = usable_config(component)
    if config is None or component.kind not in TRIALS:
        return None
    for scene in scenes(component.kind):
        if not _refusal(component, config, scene):
            return bool(_new(component, config, scene.dataset, *scene.before).sees_future)
    return None


def as_formula(values: Mapping[int, int]) -> str:
    """The straight line through widths measured at two values of D: ``1024``, ``D``, ``3 D``, ``2 D + 1``."""
    (x1, y1), (x2, y2) = values.items()
    slope, rest = divmod(y2 - y1, x2 - x1)
    base = y1 - slope * x1
    if rest or slope < 0 or base < 0:
        return f"{y1} at D = {x1}"
    if not slope:
        return str(base)
    return f"{'' if slope == 1 else f'{slope} '}D{f' + {base}' if base else ''}"


def usable_config(component: type[Component]) -> ComponentConfig | None:
    """Its default settings; where it has none, the first of its examples; None where it has neither."""
    for settings in ({}, *component.example_configs):
        try:
            return component.Config(**settings)
        except ValueError:
            continue
    return None


def _new(component: type[Component], config: ComponentConfig, *arguments: Any) -> Any:
    """A component without memory for its parameters."""
    constructor: Any = component
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        return constructor(config, *arguments)


def _refusal(component: type[Component], config: ComponentConfig, scene: Scene) -> str:
    try:
        _new(component, config, scene.dataset, *scene.before)
    except SpecError as error:
        return f"needs {error.needs}"
    except (InputError, ValueError) as error:
        return str(error)
    except Exception as error:  # a trial of a foreign constructor; whether it is a fault is for the contract to say
        return f"{type(error).__name__}: {error}"
    return ""


def _spec(component: type[Component], config: ComponentConfig, info: DatasetInfo, *before: Any) -> Any:
    """What a component promises; None where it cannot be built."""
    refused = _refusal(component, config, Scene("", info, before))
    return None if refused else _new(component, config, info, *before).spec


def _after(streams: StreamSpec, entry: Entry) -> Attempt:
    """Whether a fusion builds on the streams of an encoder."""
    where, config = f"fusion/{entry.component.name}", usable_config(entry.component)
    if config is None:
        return Attempt(where, refused="needs settings")
    return Attempt(where, refused=_refusal(entry.component, config, Scene("", example_dataset(), (streams,))))


def _on(component: type[Component], config: ComponentConfig, entry: Entry) -> Attempt:
    """Whether a component builds on another with its defaults or else one of its example settings."""
    refused = ""
    where = f"{entry.component.kind}/{entry.component.name}"
    for settings in ({}, *entry.component.example_configs):
        try:
            before = entry.component.Config(**settings)
        except ValueError:
            continue
        why = _refusal_after(component, config, entry.component, before)
        if not why:
            return Attempt(where, in_yaml(settings).strip("{}"))
        refused = refused or why
    return Attempt(where, refused=refused or "needs settings")


def _refusal_after(
    component: type[Component], config: ComponentConfig, before: type[Component], settings: ComponentConfig
) -> str:
    info = example_dataset()
    if before.kind == "encoder":
        spec = _spec(before, settings, info)
        return _refusal(component, config, Scene("", info, (spec,))) if spec else "could not be built"
    refused = ""
    for scene in scenes("fusion"):
        if _refusal(before, settings, scene):
            continue
        streams, fused = scene.before[0], _new(before, settings, scene.dataset, *scene.before).spec
        arguments = (ModelSpec(streams, fused),) if component.kind == "loss" else (fused,)
        refused = _refusal(component, config, Scene("", scene.dataset, arguments))
        if not refused:
            return ""
    return refused or "could not be built"


def _gradients(component: type[Component], settings: Mapping[str, object], scene: Scene) -> dict[str, bool]:
    """Each input by name, and whether a gradient reaches it; empty where the component does not build here."""
    constructor: Any = component
    try:
        trial: Trial = TRIALS[component.kind](constructor, component.Config(**settings), scene)
        with threads(1):  # others do not survive the fork of a parallel build
            part, batch = trial.build(), trial.batch(holes=False)
            _, gradients = trial.with_gradients(part, batch)
        names = trial.inputs(batch)
    except Exception:  # refused, or at fault, which is for the contract to say
        return {}
    found = {name: gradients[name] for name in names}
    return {name: g is not None and bool(g.any()) for name, g in found.items()}


def _widths(component: type[Component], config: ComponentConfig, width: int) -> dict[str, int]:
    """What the component promises where everything before it is ``width`` wide."""
    info = example_dataset(dict.fromkeys(("text", "audio", "visual"), width))
    before = () if component.kind == "encoder" else _streams(component, config, info, width)
    if before is None:
        return {}
    spec: StreamSpec | FusedSpec | None = _spec(component, config, info, *before)
    if spec is None:
        return {}
    if isinstance(spec, StreamSpec):
        return {f"stream {stream}": value for stream, value in spec.widths.items()}
    return {"joint": spec.width} | {f"modality {m}": value for m, value in spec.by_modality.items()}


def _streams(
    component: type[Component], config: ComponentConfig, info: DatasetInfo, width: int
) -> tuple[StreamSpec] | None:
    """Streams of one width that a fusion accepts: own ones, or all pairs."""
    own = StreamSpec({Stream(m, m): width for m in info.modalities})
    pairs = StreamSpec({Stream(m, n): width for m in info.modalities for n in info.modalities})
    for spec in (own, pairs):
        if not _refusal(component, config, Scene("", info, (spec,))):
            return (spec,)
    return None
