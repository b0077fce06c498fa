"""What was exported of a run: one seed's model in a folder of its own, which predicts without the run.

::

    README.md             model card
    export.json           what this is: seed, epoch, temperature, and what is known of the programs
    model.safetensors     weights of encoder, fusion and classifier
    recipe.yaml           as in the run folder, with plugins/ where it names plugin files
    summary.json          the run's result over all its seeds
    inputs/               as in the run folder: labels, speakers, standardisation, extractors
    model.pt2             the model as a program of PyTorch, where it can be one
    model.onnx            the same for other runtimes, where asked for
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file

from ercframe.build import build_model
from ercframe.data.intake import Inputs, read_inputs
from ercframe.data.json_faults import problems_of
from ercframe.errors import InputError
from ercframe.loading import Trained, TrainedRun, load_recipe, reading_weights
from ercframe.model import Learner
from ercframe.objective import Objective
from ercframe.recipes import Loaded
from ercframe.runs import EXPORTED
from ercframe.seed_choice import ChosenSeed
from ercframe.settings import PrecisionName
from ercframe.specs import DatasetInfo
from ercframe.training.precision import Precision

WEIGHTS = "model.safetensors"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Agreement(_Section):
    """How a program was compared with the model."""

    difference: float = Field(description="Largest absolute difference of a logit.")
    tolerance: float = Field(description="What it must not exceed.")
    split: str = Field(description="Where the dialogues are from.")
    dialogues: int = Field(description="How many.")
    turns: int = Field(description="Turns compared, of the dialogues as they are and changed.")
    longest: int = Field(description="Turns of the longest dialogue.")


class Program(_Section):
    """A program that was asked for: its file and how it agrees with the model, or why there is none."""

    file: str = Field("", description="Its name in the folder; empty where there is none.")
    why_not: str = Field("", description="Why there is none.")
    agreement: Agreement | None = Field(None, description="With the model; null where there is no program.")


class Export(_Section):
    """The whole of ``export.json``."""

    schema_version: Literal[1] = Field(1, description="Version of the format.")
    ercframe: str = Field(description="Version of ercframe.")
    torch: str = Field(description="Version of PyTorch.")
    run: str = Field(description="Name of the run folder.")
    seed: int = Field(description="Which seed.")
    why: str = Field(description="Why this one.")
    epoch: int = Field(description="The epoch whose weights these are.")
    precision: PrecisionName = Field(description="What it was trained in.")
    temperature: float | None = Field(gt=0, description="Fitted on dev; null: the run has no dev.")
    labels: tuple[str, ...] = Field(description="Emotion of each column of the logits.")
    programs: dict[Literal["torch", "onnx"], Program] = Field(description="What was asked for.")


@dataclass(frozen=True)
class ExportedModel:
    """A folder that was exported; a :class:`~ercframe.loading.Trained`.

    Attributes:
        path: where it is.
        loaded: its recipe.
        summary: what ``summary.json`` says of the run.
        export: what ``export.json`` says.
    """

    path: Path
    loaded: Loaded
    summary: Mapping[str, Any]
    export: Export

    @classmethod
    def open(cls, path: Path, *, trust_plugins: bool = False, plugin_files: Sequence[Path] = ()) -> ExportedModel:
        """Read what the folder says of itself; arguments as of :meth:`ercframe.loading.TrainedRun.open`.

        Raises:
            InputError: a file is missing or damaged, it holds plugin files that nobody trusts, or its recipe can no
                longer be used.
        """
        export, summary = read_export(path), _json(path / "summary.json")
        return cls(path, load_recipe(path, "export", trust_plugins, plugin_files), summary, export)

    def choose_seed(self, asked: int | None = None) -> ChosenSeed:
        """The one that was exported.

        Raises:
            InputError: another one is asked for.
        """
        if asked not in (None, self.export.seed):
            raise InputError(f"--seed must be the one that was exported, {self.export.seed} (got {asked})")
        return ChosenSeed(self.export.seed, self.export.why)

    def every_seed(self) -> tuple[ChosenSeed, ...]:
        """None: one was exported.

        Raises:
            InputError: always.
        """
        raise InputError(f"--ensemble must have a run folder (got an export, which has seed {self.export.seed} alone)")

    def inputs(self) -> Inputs:
        """What the run kept of its data.

        Raises:
            InputError: a file is missing or damaged.
        """
        try:
            return read_inputs(self.path)
        except FileNotFoundError as error:
            raise InputError(f"{error.filename} is missing; export the run again") from None

    def learner(self, seed: int, info: DatasetInfo, device: torch.device) -> tuple[Learner, int]:
        """The model in evaluation mode, without the losses that it was trained with, and the epoch it is from.

        Raises:
            InputError: the weights are missing or damaged, or do not fit the recipe.
        """
        model = build_model(self.loaded, info)
        with reading_weights(self.path / WEIGHTS):
            model.load_state_dict(load_file(self.path / WEIGHTS))
        return Learner(model, Objective({}, {})).to(device).eval(), self.export.epoch

    def precision(self, device: torch.device) -> Precision:
        """The precision that it was trained in where this device has it, and else float32."""
        try:
            return Precision.choose(self.export.precision, device)
        except InputError:
            return Precision.choose("fp32", device)

    def temperature(self, seeds: Sequence[int], labels: Sequence[str]) -> float | None:
        """The temperature that was fitted on dev; None where the run has no dev."""
        return self.export.temperature


def open_trained(path: Path, *, trust_plugins: bool = False, plugin_files: Sequence[Path] = ()) -> Trained:
    """Open a run folder, or an export of one, whichever it is.

    Raises:
        InputError: it is neither, or cannot be used.
    """
    kind = ExportedModel if (path / EXPORTED).is_file() else TrainedRun
    return kind.open(path, trust_plugins=trust_plugins, plugin_files=plugin_files)


def read_export(path: Path) -> Export:
    """What ``export.json`` in a folder says.

    Raises:
        InputError: it is missing or damaged, or a newer ercframe wrote it.
    """
    file = path / EXPORTED
    try:
        return Export.model_validate_json(json.dumps(_json(file)))
    except ValidationError as error:
        raise InputError(f"{file} is damaged, or of a newer version", list(problems_of(error))) from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
