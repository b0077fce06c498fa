"""Exporting a run: a folder with everything that predicting and publishing one of its seeds takes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import ercframe
from ercframe.build import Experiment, assemble
from ercframe.data.intake import Inputs, write_inputs
from ercframe.data.new_folder import new_folder, refuse_to_overwrite
from ercframe.errors import InputError
from ercframe.export.agreement import Cases
from ercframe.export.card import Facts, model_card
from ercframe.export.programs import Kind, no_programs, require_onnx, write_programs
from ercframe.exported import WEIGHTS, Export, Program
from ercframe.files import write_json, write_text
from ercframe.loading import TrainedRun
from ercframe.model import Model
from ercframe.resumption import require_same_data
from ercframe.runs import EXPORTED
from ercframe.scored_turns import ScoredTurns
from ercframe.seed_choice import ChosenSeed
from ercframe.tensor_files import save_tensors

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the folder.
        export: what its ``export.json`` says.
        local_paths: absolute paths of this machine that its files name, to be looked at before it is published.
    """

    path: Path
    export: Export
    local_paths: tuple[str, ...]


def export_run(
    trained: TrainedRun,
    out: Path,
    *,
    seed: int | None = None,
    onnx: bool = False,
    force: bool = False,
    on_step: Callable[[str], None] = lambda step: None,
) -> Exported:
    """Write a folder that predicts without the run; it appears when it is complete.

    Programs need the run's data, on which they are compared with the model. Where it is gone or has changed, and where
    a program cannot be made or differs, the rest is written and says why.

    Args:
        trained: the run.
        out: the folder.
        seed: which of its seeds; None takes the best on dev.
        onnx: whether to write an ONNX file, too.
        force: whether an export that is there may be replaced.
        on_step: told in words what is being done.

    Raises:
        InputError: ``out`` is taken, a package is missing, there is no such seed, or something in the run folder is
            damaged.
    """
    refuse_to_overwrite(out, force, EXPORTED, "export")
    if onnx:
        require_onnx()
    chosen = trained.choose_seed(seed)
    inputs, data = _inputs(trained)
    learner, epoch = trained.learner(chosen.seed, inputs.info, CPU)
    test = _test(trained, chosen.seed, inputs.info.labels)
    with new_folder(out, replace=force) as folder:
        save_tensors(folder / WEIGHTS, learner.model.state_dict(), {"format": "pt", "ercframe": ercframe.__version__})
        programs = _programs(folder, learner.model, inputs, data, onnx, on_step)
        on_step("writing the model card")
        export = _described(trained, chosen, epoch, inputs, programs)
        _copy(trained, folder)
        write_inputs(folder, inputs)
        facts = Facts(
            trained.loaded.recipe,
            trained.summary,
            _environment(trained),
            inputs,
            export,
            test,
            learner.model.sees_future,
        )
        write_text(folder / "README.md", model_card(facts))
        write_json(folder / EXPORTED, export.model_dump(mode="json"))
    return Exported(out, export, tuple(_local_paths(trained, inputs)))


def _inputs(trained: TrainedRun) -> tuple[Inputs, Experiment | str]:
    """What is kept of the data, and the data itself, or why it cannot be had."""
    inputs = trained.inputs()
    try:
        experiment = assemble(trained.loaded)
        require_same_data(trained.folder, experiment)
    except InputError as error:
        return inputs, f"it could not be compared with the model, since the run's data is not there: {error.title}"
    if not inputs.provenance:  # a run of an earlier version
        inputs = replace(inputs, provenance=experiment.dataset.provenance())
    return inputs, experiment


def _test(trained: TrainedRun, seed: int, labels: tuple[str, ...]) -> ScoredTurns | None:
    """What the seed predicted of test; None where there is no test."""
    rows = trained.folder.seed(seed).read_predictions("test")
    try:
        return ScoredTurns.of({seed: rows}, labels) if rows else None
    except ValueError as error:
        raise InputError(f"the predictions in {trained.path} cannot be used: {error}") from None


def _programs(
    folder: Path, model: Model, inputs: Inputs, data: Experiment | str, onnx: bool, on_step: Callable[[str], None]
) -> dict[Kind, Program]:
    if isinstance(data, str):
        return no_programs(data, onnx)
    on_step("running the model on the run's data")
    cases = Cases.of(model, data)
    return write_programs(folder, model, inputs.info.modalities, cases, onnx, on_step)


def _described(
    trained: TrainedRun, chosen: ChosenSeed, epoch: int, inputs: Inputs, programs: dict[Kind, Program]
) -> Export:
    return Export(
        ercframe=ercframe.__version__,
        torch=torch.__version__,
        run=trained.path.resolve().name,
        seed=chosen.seed,
        why=chosen.why,
        epoch=epoch,
        precision=_environment(trained).get("precision", "fp32"),
        temperature=trained.temperature([chosen.seed], inputs.info.labels),
        labels=inputs.info.labels,
        programs=programs,
    )


def _copy(trained: TrainedRun, folder: Path) -> None:
    """What stays as it is: the recipe, its plugin files, and the result."""
    for name in ("recipe.yaml", "summary.json"):
        shutil.copyfile(trained.path / name, folder / name)
    if (trained.path / "plugins").is_dir():
        shutil.copytree(trained.path / "plugins", folder / "plugins", ignore=shutil.ignore_patterns("__pycache__"))


def _environment(trained: TrainedRun) -> dict[str, Any]:
    """What the run ran on; nothing where that is missing or damaged, since only the card tells it."""
    try:
        found = trained.folder.read_environment()
        return {key: found[key] for key in ("ercframe", "torch", "device", "precision")}
    except (OSError, ValueError, KeyError):
        return {}


def _local_paths(trained: TrainedRun, inputs: Inputs) -> Iterator[str]:
    """Absolute paths in the recipe's settings, and in those of extractors."""
    recipe = trained.loaded.recipe
    slots = [recipe.dataset, *recipe.transforms, recipe.encoder, recipe.fusion, recipe.classifier]
    settings: list[Any] = [slot.config.model_dump(mode="json") for slot in [*slots, *recipe.losses.values()]]
    settings += [p.modality.settings for p in inputs.intake.modalities.values()] if inputs.intake else []
    yield from dict.fromkeys(text for value in settings for text in _texts(value) if Path(text).is_absolute())


def _texts(value: Any) -> Iterator[str]:
    """Every string in nested settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
