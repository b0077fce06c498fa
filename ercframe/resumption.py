"""Whether a run folder can be gone on with here: the same recipe, plugins, data and kind of device."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ercframe.build import Experiment
from ercframe.errors import InputError, Problem
from ercframe.preflight import Preflight
from ercframe.ranks import Ranks
from ercframe.registry import Origin
from ercframe.runs import RunFolder, digest, environment

EXACT = ("ercframe", "torch", "python", "threads", "accelerator", "components")
"""What of the environment may change results in their last digits, or more where a component changed."""


def described(folder: RunFolder, recipe: str, experiment: Experiment, found: Preflight, ranks: Ranks) -> dict[str, Any]:
    """The environment of a run as it begins, and what :func:`require_same_files` and the others compare.

    Args:
        recipe: text of the resolved recipe, which is yet to be written.
    """
    files = {**folder.file_digests(), "recipe.yaml": digest(recipe.encode())}
    data = {"data": data_digest(experiment), "dataset": experiment.dataset.fingerprint()}
    unique = {"id": uuid.uuid4().hex[:16], "files": files, **data, "processes": ranks.size}
    return {**_environment(experiment, found), **unique}


def require_same_files(folder: RunFolder) -> None:
    """Refuse a recipe or plugin that was changed since the run began.

    Raises:
        InputError: one was, or the folder was made by a version that could not resume.
    """
    before, now = _recorded(folder)["files"], folder.file_digests()
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if changed:
        raise _refused(
            folder, [Problem(name, "", "must be as it was when the run began (got another)") for name in changed]
        )


def require_same_experiment(folder: RunFolder, experiment: Experiment, found: Preflight, ranks: Ranks | None) -> None:
    """Refuse other data, a device of another type, another precision, or another number of processes.

    Args:
        ranks: None where their number may be another one.

    Raises:
        InputError: all that differs.
    """
    recorded = _recorded(folder)
    problems = []
    if recorded["data"] != data_digest(experiment):
        name = experiment.info.name
        problems.append(Problem("dataset", "", f"must be the data that the run began with (got another '{name}')"))
    began_on = torch.device(recorded["device"]).type
    if began_on != found.device.type:
        problems.append(
            Problem("trainer.device", "", f"must be of the type that it began on, {began_on} (got {found.device})")
        )
    if recorded["precision"] != found.precision.name:
        must = f"must be the one that it began in, {recorded['precision']} (got {found.precision.name})"
        problems.append(Problem("trainer.precision", "", must))
    processes = recorded.get("processes", 1)
    if ranks and ranks.size != processes:
        must = f"must be as many as it began with, {processes} (got {ranks.size}); set them by --nproc, or in torchrun"
        problems.append(Problem("processes", "", must))
    if problems:
        raise _refused(folder, problems)


def differences(folder: RunFolder, experiment: Experiment, found: Preflight) -> Iterator[str]:
    """What else is not as when the run began: it may go on, but perhaps not bit for bit.

    The run folder keeps what it was gone on with.
    """
    recorded, now = _recorded(folder), _environment(experiment, found)
    folder.write_environment({**recorded, "resumed": [*recorded.get("resumed", []), now]})
    for name in EXACT:
        if recorded[name] != now[name]:
            for what, before, after in _changes(name, recorded[name], now[name]):
                yield f"notice: the run began with {what} {before}, now it is {after}: results may differ"


def _changes(name: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if not isinstance(before, Mapping):
        yield name, before, after
        return
    for key in before:
        if before[key] != after.get(key):
            yield key, before[key], after.get(key)


def _refused(folder: RunFolder, problems: list[Problem]) -> InputError:
    return InputError(
        f"the run in {folder.path} cannot be resumed",
        problems,
        f"Put back what was changed, or begin a new run: ercframe run {shlex.quote(str(folder.path))}",
    )


def _recorded(folder: RunFolder) -> dict[str, Any]:
    try:
        found = folder.read_environment()
    except (OSError, ValueError) as error:
        raise InputError(f"{folder.path / 'environment.json'} cannot be read: {error}") from error
    if "files" not in found:
        raise InputError(f"{folder.path} was made by a version of ercframe that could not resume; begin a new run")
    return found


def _environment(experiment: Experiment, found: Preflight) -> dict[str, Any]:
    return environment(found.device, found.precision.name, origins(experiment))


def require_same_data(folder: RunFolder, experiment: Experiment) -> None:
    """Refuse other data than the run was trained on.

    Raises:
        InputError: they differ, or the run does not say what it was trained on.
    """
    path = folder.path / "environment.json"
    try:
        recorded = folder.read_environment()["data"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be read: {error!r}") from None
    if recorded != data_digest(experiment):
        raise InputError(
            f"the data must be what the run in {folder.path} was trained on "
            f"(got another '{experiment.info.name}': its digest differs)",
            help=f"recipe.yaml there says where it was. Put it back, or begin a new run: ercframe run {folder.path}",
        )


def data_digest(experiment: Experiment) -> str:
    """What the data is recognised by: the dataset's own fingerprint, and everything the model is told of it."""
    info, splits = experiment.info, experiment.splits
    told = [
        experiment.dataset.fingerprint(),
        [info.name, info.labels, info.modalities, info.speakers, info.class_counts],
        [len(splits.train), len(splits.dev), len(splits.test)],
    ]
    return digest(json.dumps(told).encode())


def origins(experiment: Experiment) -> dict[str, Origin]:
    """Where each component that results come from came from, by ``kind/name``."""
    recipe, registry = experiment.loaded.recipe, experiment.loaded.registry
    slots = [recipe.dataset, *recipe.transforms, recipe.encoder, recipe.fusion, recipe.classifier]
    slots += recipe.losses.values()
    return {
        f"{slot.component.kind}/{slot.name}": registry.entry(slot.component.kind, slot.name).origin for slot in slots
    }
